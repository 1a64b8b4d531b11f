#include <cstdio>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "commands.h"
#include "config/load.h"
#include "metrics/metrics.h"
#include "rules/domain.h"

namespace rls {
namespace {

std::string Summary(const TierSummary& tiers) {
  std::vector<std::string> users;
  for (const auto& [user, tier] : tiers.assignments) {
    if (users.size() == TierSummary::kShown) {
      users.push_back("...");
      break;
    }
    users.push_back(absl::StrCat(user, "→", tier));
  }
  std::string limits;
  for (const auto& [tier, text] : tiers.limits) {
    absl::StrAppend(&limits, "✓ Tier ", tier, ": ", text, "\n");
  }
  return absl::StrCat("✓ Config valid\n✓ Rate limiting: ", tiers.tiers.size(),
                      " tiers configured (", absl::StrJoin(tiers.tiers, "/"),
                      ")\n✓ User assignments: ", tiers.assigned, " users (",
                      absl::StrJoin(users, ", "), ")\n", limits);
}

// Collected from the files before.
struct Known {
  std::map<std::string, std::string> path_of_domain;
  RedisPlace redis;
};

// Returns the summary of one file. Adds its errors to `errors`.
std::string ReadOne(const std::string& path, Metrics& metrics, Known& known,
                    std::vector<std::string>& errors) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxConfigBytes);
  if (!bytes.ok()) {
    errors.emplace_back(bytes.status().message());
    return "";
  }
  LoadedFile file = LoadConfig(*bytes, path, ProcessEnvironment);
  for (const ConfigError& error : file.errors) {
    errors.push_back(error.ToString());
  }
  if (!file.errors.empty()) return "";
  if (file.domain.has_value()) {
    const auto [other, is_first] =
        known.path_of_domain.emplace(file.domain_name, path);
    if (!is_first) {
      errors.push_back(DomainTwice(file.domain_name,
                                   {.origin = path, .line = file.domain_line},
                                   other->second)
                           .ToString());
    }
  }
  std::vector<ConfigError> redis_errors;
  MergeRedis(file.redis, known.redis, redis_errors);
  for (const ConfigError& error : redis_errors) {
    errors.push_back(error.ToString());
  }
  if (file.tiers.has_value()) return Summary(*file.tiers);
  const auto domain = CompileDomain(*std::move(file.domain), metrics);
  if (!domain.ok()) {
    errors.push_back(absl::StrCat(path, ": ", domain.status().message()));
    return "";
  }
  size_t rules = 0;
  (*domain)->ForEachRule([&rules](const CompiledRule&) { ++rules; });
  return absl::StrCat("✓ Config valid\n✓ Domain ", file.domain_name, ": ",
                      rules, " rules\n");
}

}  // namespace

int ValidateConfig(const std::vector<std::string>& paths) {
  const std::unique_ptr<Metrics> metrics = NewMetrics();
  Known known;
  std::vector<std::string> errors;
  std::string text;
  for (const std::string& path : paths) {
    const auto files = ListFiles(path);
    if (!files.ok()) {
      errors.emplace_back(files.status().message());
      continue;
    }
    for (const std::string& file : *files) {
      text += ReadOne(file, *metrics, known, errors);
    }
  }
  for (const std::string& error : errors) {
    std::fprintf(stderr, "%s\n", error.c_str());
  }
  if (!errors.empty()) return kExitBadConfig;
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace rls
