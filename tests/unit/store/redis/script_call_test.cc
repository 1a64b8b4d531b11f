// Replies that no script produces, from a broken Redis or a broken proxy: each
// script call must survive them.

#include "store/redis/script_call.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "unit/store/counter_store_dice.h"

namespace rls {
namespace {

class IgnoresAll final : public CounterListener {
 public:
  void OnExhausted(const PendingTake&, const CounterState&,
                   absl::Time) override {}
  void OnChanged(const Charge&) override {}
  void OnRepaired(size_t, absl::string_view) override {}
};

// The takes of one random history, in the form that the store makes.
class Takes {
 public:
  Takes(unsigned seed, const Habits& habits) : dice_(seed, habits) {}

  std::unique_ptr<PendingTake> Next() {
    const std::vector<TestCharge>& own = charges_.emplace_back(dice_.Charges());
    std::vector<Charge>& views = views_.emplace_back();
    auto take = std::make_unique<PendingTake>();
    for (const TestCharge& charge : own) {
      views.push_back(
          {.policy = &charge.policy,
           .cost = charge.cost,
           .kind = charge.kind,
           .booking = charge.booking.has_value() ? &*charge.booking : nullptr});
      const auto it =
          std::find(take->keys.begin(), take->keys.end(), charge.key);
      take->counter_of.push_back(static_cast<size_t>(it - take->keys.begin()));
      if (it == take->keys.end()) take->keys.push_back(charge.key);
    }
    take->charges = views;
    take->accounting = dice_.AnyAccounting();
    take->done = [this](const absl::StatusOr<absl::Span<const Outcome>>&) {
      ++answered_;
    };
    return take;
  }

  absl::Time Start() { return dice_.Start(); }
  size_t answered() const { return answered_; }

 private:
  StoreDice dice_;
  std::deque<std::vector<TestCharge>> charges_;
  std::deque<std::vector<Charge>> views_;
  size_t answered_ = 0;
};

// A reply of numbers that have a meaning in replies, and of other numbers.
std::string AnyReply(std::mt19937_64& random, absl::Time now) {
  const auto now_us = static_cast<double>(absl::ToUnixMicros(now));
  const double numbers[] = {0,
                            1,
                            1,
                            2,
                            -1,
                            7,
                            now_us,
                            now_us / 1e6,
                            0x1p53,
                            -0x1p53,
                            0x1p62,
                            std::numeric_limits<double>::max(),
                            -std::numeric_limits<double>::infinity(),
                            std::nan("")};
  std::string reply;
  for (auto count = random() % 40; count > 0; --count) {
    // The first number is the time, the second one the number of repaired keys.
    // Both are mostly correct.
    double number = numbers[random() % std::size(numbers)];
    if (reply.empty() && random() % 4 != 0) number = now_us;
    if (reply.size() == sizeof(number) && random() % 4 != 0) number = 0;
    reply.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  if (random() % 8 == 0) reply.append("rest");
  return reply;
}

TEST(ScriptCallTest, NoReplyMakesTakesGetLost) {
  const Habits kinds[] = {{},
                          {.calendar = true},
                          {.lone = true, .plain = true},
                          {.plain = true},
                          {.huge = true},
                          {.queue = true, .returns = true},
                          {.usage = true}};
  IgnoresAll ignores_all;
  std::set<Script> accepted;
  std::set<Script> refused;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937_64 random(seed);
    Takes takes(seed, kinds[seed % std::size(kinds)]);
    const absl::Time now = takes.Start();
    PendingTakes pending;
    for (size_t count = 1 + random() % 6; count > 0; --count) {
      pending.push_back(takes.Next());
    }
    const size_t all = pending.size();
    size_t waiting = 0;
    for (const auto& script_call : MakeScriptCalls(std::move(pending), now)) {
      // The take has expired meanwhile.
      if (random() % 4 == 0) {
        script_call->takes()[0]->Fail(absl::UnavailableError("late"));
        script_call->takes()[0] = nullptr;
      }
      const std::string reply = AnyReply(random, now);
      const absl::Status read = script_call->OnReply(reply, ignores_all);
      (read.ok() ? accepted : refused).insert(script_call->script());
      EXPECT_TRUE(read.ok() || absl::IsUnavailable(read)) << read;
      EXPECT_FALSE(read.ok() && reply.size() % sizeof(double) != 0);
      for (const auto& take : script_call->takes()) waiting += take != nullptr;
    }
    EXPECT_EQ(takes.answered() + waiting, all) << "seed " << seed;
  }
  const std::set<Script> all = {Script::kFixed, Script::kSeveral,
                                Script::kTake};
  EXPECT_EQ(accepted, all);
  EXPECT_EQ(refused, all);
}

}  // namespace
}  // namespace rls
