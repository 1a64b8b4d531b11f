#ifndef RLS_TESTS_UNIT_XDS_XDS_FIXTURE_H_
#define RLS_TESTS_UNIT_XDS_XDS_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "metrics/metrics.h"
#include "support/wait_until.h"
#include "unit/xds/ads_server.h"
#include "xds/xds_client.h"

namespace rls {

// A client and the snapshots that it has given.
class XdsFixture : public testing::Test {
 protected:
  XdsFixture() { options_.backoff_initial = absl::Milliseconds(20); }

  void StartClient(const std::string& server) {
    options_.server = server;
    auto client = NewXdsClient(
        options_,
        [this](const XdsSnapshot& snapshot) {
          MutexLock lock(&mutex_);
          snapshots_.push_back(snapshot);
        },
        *metrics_, *clock_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  size_t snapshots() {
    MutexLock lock(&mutex_);
    return snapshots_.size();
  }

  XdsSnapshot last() {
    MutexLock lock(&mutex_);
    return snapshots_.empty() ? XdsSnapshot() : snapshots_.back();
  }

  // "domain=limit" of the last snapshot.
  std::vector<std::string> InForce() {
    std::vector<std::string> domains;
    for (const XdsDomain& domain : last().domains) {
      domains.push_back(absl::StrCat(domain.spec->name, "=",
                                     domain.spec->nodes[0].rule->policy.limit));
    }
    return domains;
  }

  bool WaitForSnapshots(size_t count) {
    return WaitUntil(absl::StrCat("snapshot ", count),
                     [&] { return snapshots() >= count; });
  }

  // Waits for requests of state of the world, and returns the last one.
  static DiscoveryRequest Request(const AdsServer& server, size_t count) {
    WaitUntil(absl::StrCat("request ", count),
              [&] { return server.requests().size() >= count; });
    return server.requests().at(count - 1);
  }

  // Whether the metrics have this line.
  bool HasMetric(const std::string& line) const {
    return metrics_->Text().find("\n" + line + "\n") != std::string::npos;
  }

  // Waits until the client has tried to open a stream this often.
  bool WaitForAttempts(int count) const {
    const std::string name = "\nratelimitd_xds_streams_total ";
    return WaitUntil(absl::StrCat("attempt ", count), [&] {
      const std::string text = metrics_->Text();
      const size_t found = text.find(name);
      return found != std::string::npos &&
             std::stoi(text.substr(found + name.size())) >= count;
    });
  }

  XdsOptions options_;
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  Mutex mutex_;
  std::vector<XdsSnapshot> snapshots_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<XdsClient> client_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_XDS_XDS_FIXTURE_H_
