#ifndef RLS_TESTS_UNIT_TIER_SOURCE_FIXTURE_H_
#define RLS_TESTS_UNIT_TIER_SOURCE_FIXTURE_H_

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

// A source before a real HTTP server, which gives everybody the tier "pro"
// until told otherwise. What is remembered ages by a clock turned by hand.
class TierSourceTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  // After a change of `spec_`.
  void Open() {
    if (spec_.url.empty()) spec_.url = server_.url();
    source_ = sources_->Open("d", spec_);
  }

  std::future<Tier> Start(const std::string& user,
                          absl::Time deadline = absl::InfiniteFuture());
  Tier Ask(const std::string& user,
           absl::Time deadline = absl::InfiniteFuture());
  std::future<absl::StatusOr<std::string>> StartRefresh(
      const std::string& user);

  // Waits until the server has got so many requests.
  void WaitForRequests(size_t count) {
    WaitUntil("requests", [&] { return server_.count() >= count; });
  }

  // Of a counter or gauge, e.g. Value("lookups_total", "result=\"ok\"").
  double Value(const std::string& name, const std::string& label) const;
  double Lookups(const std::string& result) const {
    return Value("lookups_total", "result=\"" + result + "\"");
  }
  double Answers(const std::string& from) const {
    return Value("answers_total", "from=\"" + from + "\"");
  }

  static TierServer::Answer Telling(const std::string& body, int status = 200) {
    return [=](const TierServer::Request&) {
      return TierServer::Reply{.status = status, .body = body};
    };
  }

  TierServer server_{Telling(R"({"tier": "pro"})")};
  FakeClock clock_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  // Long, so that no call times out by itself on a busy machine.
  TierSourceSpec spec_{.timeout = absl::Seconds(60)};
  std::unique_ptr<TierSources> sources_ = NewHttpTierSources(clock_, *metrics_);
  std::shared_ptr<TierSource> source_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_TIER_SOURCE_FIXTURE_H_
