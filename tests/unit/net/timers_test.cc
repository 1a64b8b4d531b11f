#include "net/timers.h"

#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <random>
#include <utility>

namespace rls {
namespace {

using std::chrono::nanoseconds;
using ::testing::ElementsAre;

SteadyTime At(int64_t ns) { return SteadyTime(nanoseconds(ns)); }

class TimersTest : public ::testing::Test {
 protected:
  // A timer that records its number.
  std::unique_ptr<EventLoop::Timer> Numbered(int number) {
    return timers_.NewTimer([this, number] { fired_.push_back(number); });
  }
  std::vector<int> FireAt(int64_t ns) {
    fired_.clear();
    timers_.Fire(At(ns));
    return fired_;
  }

  Timers timers_;
  std::vector<int> fired_;
};

TEST_F(TimersTest, FireOnceInOrderOfTimeAndThenOfSetting) {
  const auto a = Numbered(1);
  const auto b = Numbered(2);
  const auto c = Numbered(3);
  a->Set(At(20));
  b->Set(At(10));
  c->Set(At(20));
  EXPECT_THAT(FireAt(9), ElementsAre());
  EXPECT_EQ(timers_.first(), At(10));
  EXPECT_THAT(FireAt(20), ElementsAre(2, 1, 3));
  EXPECT_TRUE(timers_.empty());
  EXPECT_THAT(FireAt(30), ElementsAre());
}

TEST_F(TimersTest, SettingAgainReplacesAndCancellingForgets) {
  const auto a = Numbered(1);
  const auto b = Numbered(2);
  a->Set(At(10));
  a->Set(At(30));
  b->Set(At(20));
  b->Cancel();
  b->Cancel();
  EXPECT_THAT(FireAt(20), ElementsAre());
  EXPECT_THAT(FireAt(30), ElementsAre(1));
}

TEST_F(TimersTest, ATimerThatSetsItselfInThePastDelaysNoOther) {
  std::unique_ptr<EventLoop::Timer> greedy;
  greedy = timers_.NewTimer([&] {
    fired_.push_back(0);
    greedy->Set(SteadyTime::min());
  });
  const auto late = Numbered(1);
  greedy->Set(SteadyTime::min());
  late->Set(At(10));
  EXPECT_THAT(FireAt(10), ElementsAre(0, 1));
  late->Set(At(11));
  EXPECT_THAT(FireAt(12), ElementsAre(0, 1));
}

TEST_F(TimersTest, MayBeDestroyedByItsOwnCallback) {
  std::unique_ptr<EventLoop::Timer> timer;
  const auto kept = std::make_shared<int>(7);
  timer = timers_.NewTimer([this, &timer, kept] {
    timer.reset();
    fired_.push_back(*kept);  // valid although the timer is gone
  });
  timer->Set(At(1));
  EXPECT_THAT(FireAt(1), ElementsAre(7));
  EXPECT_EQ(kept.use_count(), 1);
}

TEST_F(TimersTest, MayBeDestroyedSetOrCancelledByAnotherCallback) {
  auto destroyed = Numbered(1);
  const auto cancelled = Numbered(2);
  const auto postponed = Numbered(3);
  const auto first = timers_.NewTimer([&] {
    destroyed.reset();
    cancelled->Cancel();
    postponed->Set(At(20));
  });
  first->Set(At(1));
  destroyed->Set(At(2));
  cancelled->Set(At(3));
  postponed->Set(At(4));
  EXPECT_THAT(FireAt(10), ElementsAre());
  EXPECT_THAT(FireAt(20), ElementsAre(3));
}

// Any history of settings, cancellations and destructions fires the same timers
// as an ordered list.
TEST_F(TimersTest, AgreeWithAListInAnyHistory) {
  std::mt19937 dice(20240229);
  constexpr int kTimers = 50;
  std::vector<std::unique_ptr<EventLoop::Timer>> timers;
  for (int i = 0; i < kTimers; ++i) timers.push_back(Numbered(i));
  std::map<int, std::pair<int64_t, int>> set;  // timer -> time and turn
  int64_t now = 0;
  for (int turn = 0; turn < 100'000; ++turn) {
    const int i = static_cast<int>(dice() % kTimers);
    const auto place = static_cast<size_t>(i);
    const uint32_t choice = dice() % 16;
    if (choice == 0) {
      timers[place] = Numbered(i);
      set.erase(i);
    } else if (choice < 5) {
      timers[place]->Cancel();
      set.erase(i);
    } else if (choice < 14) {
      const int64_t at = now + static_cast<int64_t>(dice() % 100);
      timers[place]->Set(At(at));
      set[i] = {at, turn};
    } else {
      now += static_cast<int64_t>(dice() % 30);
      std::map<std::pair<int64_t, int>, int> due;
      for (const auto& [number, when] : set) {
        if (when.first <= now) due[when] = number;
      }
      std::vector<int> expected;
      for (const auto& [when, number] : due) {
        expected.push_back(number);
        set.erase(number);
      }
      ASSERT_EQ(FireAt(now), expected) << "turn " << turn;
    }
  }
}

}  // namespace
}  // namespace rls
