#ifndef RLS_TESTS_UNIT_TIERS_TIER_SOURCE_FIXTURE_H_
#define RLS_TESTS_UNIT_TIERS_TIER_SOURCE_FIXTURE_H_

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "fake_clock.h"
#include "metrics/metrics.h"
#include "support/tier_server.h"
#include "support/wait_until.h"
#include "tiers/tier_sources.h"

namespace rls {

using Tier = std::optional<std::string>;

// A tier source and its real HTTP server, which answers with the tier "pro" for
// each user until the test sets another answer. The ages of cached tiers come
// from a fake clock.
class TierSourceTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  // Opens the source with `spec_`; again after each change of `spec_`.
  void Open() {
    if (spec_.url.empty()) spec_.url = server_.url();
    source_ = sources_->Open("d", spec_);
  }

  std::future<Tier> Start(const std::string& user,
                          absl::Time deadline = absl::InfiniteFuture());
  Tier Find(const std::string& user,
            absl::Time deadline = absl::InfiniteFuture());
  std::future<absl::StatusOr<std::string>> StartRefresh(
      const std::string& user);

  // Waits until the server has received `count` requests.
  void WaitForRequests(size_t count) {
    WaitUntil("requests", [&] { return server_.count() >= count; });
  }

  // The value of a counter or gauge, e.g.
  // Value("lookups_total", "result=\"ok\"").
  double Value(const std::string& name, const std::string& label) const;
  double Lookups(const std::string& result) const {
    return Value("lookups_total", "result=\"" + result + "\"");
  }
  double Answers(const std::string& from) const {
    return Value("answers_total", "from=\"" + from + "\"");
  }

  static TierServer::Answer Naming(const std::string& body, int status = 200) {
    return [=](const TierServer::Request&) {
      return TierServer::Response{.status = status, .body = body};
    };
  }

  TierServer server_{Naming(R"({"tier": "pro"})")};
  FakeClock clock_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  // Long, so that no request times out on a busy machine.
  TierSourceSpec spec_{.timeout = absl::Seconds(60)};
  std::unique_ptr<TierSources> sources_ = NewHttpTierSources(clock_, *metrics_);
  std::shared_ptr<TierSource> source_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_TIERS_TIER_SOURCE_FIXTURE_H_
