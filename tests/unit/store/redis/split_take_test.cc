// A take that is split into sub-takes. The test plays the servers.

#include "store/redis/split_take.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_clock.h"
#include "fake_loop.h"

namespace rls {
namespace {

constexpr std::chrono::milliseconds kTimeout{10};

// A take of three counters with a limit of one unit each. Each counter is in
// its own sub-take.
class SplitTakeTest : public ::testing::Test {
 protected:
  SplitTakeTest() {
    auto take = std::make_unique<PendingTake>();
    take->charges = charges_;
    take->keys = {"a", "b", "c"};
    take->counter_of = {0, 1, 2};
    take->answer_by = loop_.Now() + kTimeout;
    take->done = [this](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
      ASSERT_TRUE(outcomes.ok()) << outcomes.status();
      ++answers_;
      outcomes_.assign(outcomes->begin(), outcomes->end());
    };
    splits_.Split(std::move(take), {0, 1, 2});
  }

  // The oldest sub-take, or give-back, that was sent and not yet answered.
  std::unique_ptr<PendingTake> Next() {
    std::unique_ptr<PendingTake> sub_take = std::move(sent_.at(answered_));
    ++answered_;
    return sub_take;
  }
  void Find(int64_t used) {
    const int64_t minute_ns = absl::ToInt64Nanoseconds(absl::Minutes(1));
    const int64_t now_ns = absl::ToUnixNanos(clock_.Now());
    JudgedCounter counter;
    if (used > 0) {
      counter.before = {.anchor_ns = now_ns - now_ns % minute_ns, .used = used};
    }
    Next()->sub_take->found(clock_.Now(), {&counter, 1});
  }
  void ConfirmGiveBack() {
    const auto give_back = Next();
    EXPECT_TRUE(give_back->give_back() != nullptr);
    const Outcome outcome;
    give_back->done(absl::MakeConstSpan(&outcome, 1));
  }
  bool over() const { return splits_.empty(); }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  int answers_ = 0;
  std::vector<Outcome> outcomes_;

 private:
  void SendDue() {
    for (std::unique_ptr<PendingTake>& take : splits_.TakeDue()) {
      sent_.push_back(std::move(take));
    }
  }

  const Policy policy_ = {.limit = 1, .window = absl::Minutes(1)};
  const std::vector<Charge> charges_ =
      std::vector<Charge>(3, Charge{.policy = &policy_});
  std::vector<std::unique_ptr<PendingTake>> sent_;
  size_t answered_ = 0;
  SplitTakes splits_{loop_, kTimeout, [this] { SendDue(); }};
};

TEST_F(SplitTakeTest, IsAnsweredWhenAllSubTakesAreTaken) {
  Find(0);
  Find(0);
  EXPECT_EQ(answers_, 0);
  Find(0);
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(over());
  for (const Outcome& outcome : outcomes_) EXPECT_TRUE(outcome.allowed);
}

TEST_F(SplitTakeTest, ADeniedTakeIsAnsweredWhenAllIsGivenBack) {
  Find(0);
  Find(0);
  Find(1);
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 0);
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(over());
  EXPECT_TRUE(outcomes_[0].allowed);
  EXPECT_FALSE(outcomes_[2].allowed);
}

TEST_F(SplitTakeTest, AGiveBackThatTakesTooLongIsNotWaitedFor) {
  Find(0);
  Find(0);
  Find(1);
  clock_.Advance(absl::FromChrono(kTimeout));
  loop_.FireTimers();
  EXPECT_EQ(answers_, 1);
  ConfirmGiveBack();
  EXPECT_FALSE(over());
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(over());
}

// In each turn the loop reads replies before it fires timers.
TEST_F(SplitTakeTest, AReplyInTheTurnThatIsTooLateAnswersOnce) {
  Find(0);
  Find(0);
  Find(1);
  clock_.Advance(absl::FromChrono(kTimeout));
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 1);
  loop_.FireTimers();
  EXPECT_EQ(answers_, 1);
  EXPECT_FALSE(over());
  ConfirmGiveBack();
  EXPECT_TRUE(over());
}

}  // namespace
}  // namespace rls
