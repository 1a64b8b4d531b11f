// A take that goes part by part, with the test in the place of the servers.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_clock.h"
#include "fake_loop.h"
#include "store_redis/split_take.h"

namespace rls {
namespace {

constexpr std::chrono::milliseconds kTimeout{10};

// Three counters of a limit of one unit, each in a part of its own.
class SplitTakeTest : public ::testing::Test, private SplitTake::Owner {
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
      told_.assign(outcomes->begin(), outcomes->end());
    };
    const std::vector<size_t> part_of = {0, 1, 2};
    SplitTake::Owner& owner = *this;
    split_ = std::make_unique<SplitTake>(std::move(take), part_of, loop_,
                                         kTimeout, owner);
    split_->Begin();
  }

  // The oldest part that was sent.
  std::unique_ptr<PendingTake> Next() {
    std::unique_ptr<PendingTake> part = std::move(sent_.at(answered_parts_));
    ++answered_parts_;
    return part;
  }
  void Find(int64_t used) {
    const int64_t minute_ns = absl::ToInt64Nanoseconds(absl::Minutes(1));
    const int64_t now_ns = absl::ToUnixNanos(clock_.Now());
    JudgedCounter counter;
    if (used > 0) {
      counter.before = {.anchor_ns = now_ns - now_ns % minute_ns, .used = used};
    }
    Next()->part->found(clock_.Now(), {&counter, 1});
  }
  void ConfirmGiveBack() {
    const auto part = Next();
    EXPECT_TRUE(part->give_back() != nullptr);
    const Outcome outcome;
    part->done(absl::MakeConstSpan(&outcome, 1));
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  int answers_ = 0;
  std::vector<Outcome> told_;
  int overs_ = 0;

 private:
  void SendPart(std::unique_ptr<PendingTake> part) override {
    sent_.push_back(std::move(part));
  }
  void OnOver(SplitTake&) override {
    ++overs_;
    split_.reset();
  }

  const Policy policy_ = {.limit = 1, .window = absl::Minutes(1)};
  const std::vector<Charge> charges_ =
      std::vector<Charge>(3, Charge{.policy = &policy_});
  std::vector<std::unique_ptr<PendingTake>> sent_;
  size_t answered_parts_ = 0;
  std::unique_ptr<SplitTake> split_;
};

TEST_F(SplitTakeTest, IsAnsweredWhenAllPartsAreTaken) {
  Find(0);
  Find(0);
  EXPECT_EQ(answers_, 0);
  Find(0);
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(overs_, 1);
  for (const Outcome& outcome : told_) EXPECT_TRUE(outcome.allowed);
}

TEST_F(SplitTakeTest, ADeniedOneIsAnsweredWhenAllIsGivenBack) {
  Find(0);
  Find(0);
  Find(1);
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 0);
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(overs_, 1);
  EXPECT_TRUE(told_[0].allowed);
  EXPECT_FALSE(told_[2].allowed);
}

TEST_F(SplitTakeTest, AGiveBackThatTakesTooLongIsNotWaitedFor) {
  Find(0);
  Find(0);
  Find(1);
  clock_.Advance(absl::FromChrono(kTimeout));
  loop_.FireTimers();
  EXPECT_EQ(answers_, 1);
  ConfirmGiveBack();
  EXPECT_EQ(overs_, 0);
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(overs_, 1);
}

// In a turn of the loop replies are read before timers fire.
TEST_F(SplitTakeTest, AReplyInTheTurnThatIsTooLateAnswersOnce) {
  Find(0);
  Find(0);
  Find(1);
  clock_.Advance(absl::FromChrono(kTimeout));
  ConfirmGiveBack();
  EXPECT_EQ(answers_, 1);
  loop_.FireTimers();
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(overs_, 0);
  ConfirmGiveBack();
  EXPECT_EQ(overs_, 1);
}

}  // namespace
}  // namespace rls
