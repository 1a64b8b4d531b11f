#ifndef RLS_TESTS_UNIT_STORE_LEASE_LEASE_FIXTURE_H_
#define RLS_TESTS_UNIT_STORE_LEASE_LEASE_FIXTURE_H_

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fake_clock.h"
#include "fake_loop.h"
#include "limit/lease.h"
#include "metrics/metrics.h"
#include "store/lease/lease_store.h"
#include "store/memory/memory_store.h"
#include "unit/store/far_store.h"

namespace rls {

// A charge of a counter by its name. It owns the data that Charge only views.
struct LeaseCharge {
  std::string name = "a";
  Policy policy{.limit = 1000, .window = absl::Minutes(1)};
  int64_t cost = 1;
  ChargeKind kind = ChargeKind::kEnforce;
  std::optional<LeaseTerms> lease = LeaseTerms();
};

class LeaseTake {
 public:
  explicit LeaseTake(std::vector<LeaseCharge> charges)
      : charges_(std::move(charges)), parts_(charges_.size()) {
    for (size_t i = 0; i < charges_.size(); ++i) {
      const LeaseCharge& charge = charges_[i];
      parts_[i] = {"user", charge.name};
      views_.push_back({.policy = &charge.policy,
                        .key = {.scope = "test", .parts = parts_[i]},
                        .cost = charge.cost,
                        .kind = charge.kind,
                        .lease = charge.lease ? &*charge.lease : nullptr});
    }
  }
  LeaseTake(const LeaseTake&) = delete;
  LeaseTake& operator=(const LeaseTake&) = delete;

  void Take(CounterStore& store,
            Accounting accounting = Accounting::kAllOrNothing) {
    store.Take(views_, accounting, absl::InfiniteFuture(),
               [this](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                 if (outcomes.ok()) {
                   result_.emplace(std::vector<Outcome>(outcomes->begin(),
                                                        outcomes->end()));
                 } else {
                   result_ = outcomes.status();
                 }
               });
  }

  bool answered() const { return result_.has_value(); }
  const absl::Status& status() const { return result_->status(); }
  const std::vector<Outcome>& outcomes() const { return **result_; }
  const Outcome& outcome() const { return outcomes()[0]; }

 private:
  const std::vector<LeaseCharge> charges_;
  std::vector<std::array<absl::string_view, 2>> parts_;
  std::vector<Charge> views_;
  std::optional<absl::StatusOr<std::vector<Outcome>>> result_;
};

// One replica: a store that leases from a shared store.
class LeasingReplica {
 public:
  LeasingReplica(FakeClock& clock, CounterStore& shared)
      : loop_(clock),
        far_(shared),
        store_(NewLeaseStore(far_, loop_, clock, *metrics_)) {}

  LeaseStore& store() { return *store_; }
  FarStore& far() { return far_; }
  void FireTimers() { loop_.FireTimers(); }
  std::string metrics() { return metrics_->Text(); }

  Outcome TakeOne(const LeaseCharge& charge = {}) { return Take({charge})[0]; }
  std::vector<Outcome> Take(const std::vector<LeaseCharge>& charges) {
    LeaseTake take(charges);
    take.Take(*store_);
    EXPECT_TRUE(take.answered() && take.status().ok());
    return take.outcomes();
  }

 private:
  FakeLoop loop_;
  FarStore far_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const std::unique_ptr<LeaseStore> store_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_LEASE_LEASE_FIXTURE_H_
