// Events between the steps of a request.

#include "store/lease/lease_keeper.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "fake_clock.h"
#include "fake_loop.h"
#include "store/memory/memory_store.h"

namespace rls {
namespace {

constexpr Accounting kAll = Accounting::kAllOrNothing;

class LeaseKeeperTest : public ::testing::Test {
 protected:
  Charge ChargeOf(const Policy& policy, int64_t cost) const {
    return {.policy = &policy,
            .key = {.scope = "test", .parts = parts_},
            .cost = cost,
            .lease = &terms_};
  }
  Outcome TakeFromStore(const Charge& charge) {
    Outcome outcome;
    store_->Take({&charge, 1}, kAll, absl::InfiniteFuture(),
                 [&](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                   outcome = (*outcomes)[0];
                 });
    return outcome;
  }
  // Serves requests of one unit until some units are leased.
  void Warm() {
    for (int i = 0; i < 200; ++i) {
      const Charge charge = ChargeOf(policy_, 1);
      const LeaseKeeper::Served served = keeper_.Serve(charge, true, kAll);
      if (served.outcome.has_value()) continue;
      Outcome outcome = TakeFromStore(charge);
      keeper_.OnAnswer(charge, served, clock_.Elapsed(), outcome);
    }
  }
  int64_t LeftInStore() {
    Charge look = ChargeOf(policy_, 0);
    look.kind = ChargeKind::kPeek;
    return TakeFromStore(look).remaining;
  }

  const std::array<absl::string_view, 2> parts_ = {"user", "a"};
  const LeaseTerms terms_{};
  const Policy policy_{.limit = 1000, .window = absl::Minutes(1)};
  const Policy raised_{.limit = 2000, .window = absl::Minutes(1)};
  FakeClock clock_;
  FakeLoop loop_{clock_};
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const std::unique_ptr<CounterStore> store_ = NewMemoryStore(clock_, {});
  LeaseKeeper keeper_{*store_, loop_, clock_, *metrics_};
};

// A request uses up a lease and takes the rest from the store. Meanwhile a
// reload changes the limit, and the request is denied: the units go back.
TEST_F(LeaseKeeperTest, ACounterKeepsItsPlaceWhileARequestUsesItsUnits) {
  Warm();
  const LeaseKeeper::Served served =
      keeper_.Serve(ChargeOf(policy_, 1000), true, kAll);
  ASSERT_GT(served.used.left, 0);
  EXPECT_FALSE(served.outcome.has_value());
  EXPECT_EQ(keeper_.Serve(ChargeOf(raised_, 1), true, kAll).used.left, 0);
  EXPECT_EQ(LeftInStore(), 800 - served.used.left);
  keeper_.PutBack(served, /*store_answers=*/true);
  bool returned = false;
  keeper_.ReturnAll([&returned] { returned = true; });
  EXPECT_TRUE(returned);
  EXPECT_EQ(LeftInStore(), 800);
}

TEST_F(LeaseKeeperTest, UnitsAreRetainedUntilTheOtherChargesAreDecided) {
  Warm();
  const LeaseKeeper::Served served =
      keeper_.Serve(ChargeOf(policy_, 1), false, kAll);
  ASSERT_TRUE(served.outcome.has_value());
  bool returned = false;
  keeper_.ReturnAll([&returned] { returned = true; });
  EXPECT_TRUE(returned);
  EXPECT_EQ(LeftInStore(), 799);
  keeper_.PutBack(served, /*store_answers=*/true);
  EXPECT_EQ(LeftInStore(), 800);
}

}  // namespace
}  // namespace rls
