// Random histories on a store and on the model: every outcome must be equal.

#include "unit/store/counter_store_model.h"

#include <gtest/gtest.h>

#include "unit/store/counter_store_dice.h"
#include "unit/store/counter_store_suite.h"

namespace rls {
namespace {

struct Histories {
  unsigned count = 20;
  int takes = 500;
  Habits habits;
};

class CounterStoreModelTest : public CounterStoreTest {
 protected:
  void Compare(Histories histories) {
    histories.habits.steady_banks |= !GetParam().atomic;
    // Fewer for a store whose takes have several steps and last longer.
    if (!GetParam().atomic) histories.count = (histories.count + 2) / 3;
#if defined(RLS_SANITIZED)
    // The normal build compares many. A few are enough for a sanitizer.
    histories.count = (histories.count + 4) / 5;
#else
    if (GetParam().in_process) histories.count *= 10;
#endif
    for (unsigned seed = 1; seed <= histories.count; ++seed) {
      SCOPED_TRACE(seed);
      ASSERT_NO_FATAL_FAILURE(
          CompareOne(StoreDice(seed, histories.habits), histories.takes));
    }
  }

 private:
  void CompareOne(StoreDice dice, int takes) {
    clock_.Set(dice.Start());
    CounterStoreModel model;
    for (int take = 0; take < takes; ++take) {
      const std::vector<TestCharge> charges = dice.Charges();
      const Accounting accounting = dice.AnyAccounting();
      const auto expected = model.Take(charges, accounting, clock_.Now());
      const auto actual = Take(charges, accounting);
      for (size_t i = 0; i < charges.size(); ++i) {
        ASSERT_EQ(actual[i], expected[i])
            << "take " << take << ", charge " << i << ": " << charges[i];
      }
      Pass(dice.Pause(actual));
    }
  }
};

TEST_P(CounterStoreModelTest, RandomHistoriesHaveEqualOutcomes) { Compare({}); }

TEST_P(CounterStoreModelTest, HistoriesOfCalendarWindowsHaveEqualOutcomes) {
  Compare({.habits = {.calendar = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfHugeAmountsHaveEqualOutcomes) {
  Compare({.habits = {.huge = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfLoneChargesHaveEqualOutcomes) {
  Compare({.habits = {.lone = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfPlainChargesHaveEqualOutcomes) {
  Compare({.habits = {.plain = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfHugeLoneChargesHaveEqualOutcomes) {
  Compare(
      {.count = 10, .habits = {.calendar = true, .huge = true, .lone = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfChargesThatWaitHaveEqualOutcomes) {
  Compare({.habits = {.queue = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfHugeChargesThatWaitHaveEqualOutcomes) {
  Compare({.count = 15, .habits = {.huge = true, .queue = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfLoneChargesThatWaitHaveEqualOutcomes) {
  Compare({.habits = {.lone = true, .queue = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfReturnsHaveEqualOutcomes) {
  Compare({.habits = {.returns = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfCalendarReturnsHaveEqualOutcomes) {
  Compare({.count = 15, .habits = {.calendar = true, .returns = true}});
}

TEST_P(CounterStoreModelTest,
       HistoriesOfProbesAndSingleWindowsHaveEqualOutcomes) {
  Compare({.habits = {.usage = true}});
}

TEST_P(CounterStoreModelTest, HistoriesOfHugeSingleWindowsHaveEqualOutcomes) {
  Compare({.count = 15, .habits = {.huge = true, .usage = true}});
}

INSTANTIATE_TEST_SUITE_P(Stores, CounterStoreModelTest,
                         ::testing::ValuesIn(AllStores()), NameOf);

}  // namespace
}  // namespace rls
