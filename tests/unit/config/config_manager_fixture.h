#ifndef RLS_TESTS_UNIT_CONFIG_CONFIG_MANAGER_FIXTURE_H_
#define RLS_TESTS_UNIT_CONFIG_CONFIG_MANAGER_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "config/config_manager.h"
#include "fake_clock.h"
#include "temp_folder.h"
#include "unit/limiter/fake_tier_source.h"

namespace rls {

class ConfigManagerTest : public ::testing::Test {
 protected:
  ~ConfigManagerTest() override { manager_.reset(); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  static std::string Limit(const std::string& domain, int limit) {
    return absl::StrCat("domain: ", domain,
                        "\ndescriptors:\n- key: a\n  rate_limit: {unit: day, "
                        "requests_per_unit: ",
                        limit, "}\n");
  }

  ConfigManager& Manage(std::vector<std::string> paths) {
    manager_ = NewConfigManager(
        {.paths = std::move(paths),
         .environment =
             [this](const std::string& name) { return environment_(name); },
         .rules = rules_,
         .metrics = *metrics_,
         .clock = clock_,
         .tier_sources = &tier_sources_,
         .merge_domains = merge_domains_});
    return *manager_;
  }

  // The active limit of a domain, -1 if there is no such domain.
  int64_t Active(const std::string& domain) {
    const auto book = rules_.Get();
    const Domain* found = book->Find(domain);
    if (found == nullptr) return -1;
    Match match;
    found->Find(std::vector<Entry>{{"a", "x"}}, match);
    return match.rule->policy.limit;
  }

  bool Becomes(const std::string& domain, int64_t limit) {
    const absl::Time end = absl::Now() + absl::Minutes(1);
    while (Active(domain) != limit) {
      if (absl::Now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  const TempFolder temp_;
  const std::filesystem::path& folder_ = temp_.path();
  FakeClock clock_;
  Environment environment_ = [](const std::string&) { return std::nullopt; };
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  FakeTierSources tier_sources_;
  bool merge_domains_ = false;
  RuleBookHolder rules_;
  std::unique_ptr<ConfigManager> manager_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_CONFIG_CONFIG_MANAGER_FIXTURE_H_
