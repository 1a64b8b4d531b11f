// A Redis that hangs. The test controls the loop and the clock, so it checks to
// the nanosecond when each take is answered.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fake_loop.h"
#include "net/resolver.h"
#include "store/redis/pipeline.h"
#include "store/redis/redis_store.h"
#include "support/redis_process.h"
#include "support/wait_until.h"

namespace rls {
namespace {

constexpr absl::Duration kTimeout = absl::Milliseconds(10);
constexpr absl::Duration kTick = absl::Nanoseconds(1);

class RedisHangTest : public ::testing::Test, private CounterListener {
 protected:
  // The answer to a take and its time.
  struct Answer {
    absl::Status status;
    absl::Duration at;
  };

  RedisHangTest() {
    loop_.Post([this] { pipeline_.Open(); });
    Turn("a connection", [this] { return pipeline_.usable(); });
  }

  template <typename Condition>
  void Turn(const std::string& until, Condition holds) {
    WaitUntil(until, [&] {
      while (loop_.Dispatch()) {
      }
      return holds();
    });
  }

  // Advances the clock to `end`, and fires each timer at its time.
  void PassUntil(absl::Duration end) {
    while (loop_.FirstTimer() <= At(end)) {
      clock_.Advance(absl::FromChrono(loop_.FirstTimer() - loop_.Now()));
      loop_.FireTimers();
    }
    clock_.Advance(end - clock_.Elapsed());
  }

  static SteadyTime At(absl::Duration elapsed) {
    return SteadyTime(absl::ToChronoNanoseconds(elapsed));
  }

  // Adds a take with a time limit. Returns the index of its answer.
  size_t Add(absl::Duration time_limit, bool by_caller = false) {
    const size_t number = answers_.size();
    answers_.emplace_back();
    auto take = std::make_unique<PendingTake>();
    take->charges = {&charge_, 1};
    take->keys = {absl::StrCat("key", number % 100)};
    take->counter_of = {0};
    take->answer_by = loop_.Now() + absl::ToChronoNanoseconds(time_limit);
    take->by_caller = by_caller;
    take->done = [this, number](const auto& outcomes) {
      EXPECT_FALSE(answers_[number].has_value());
      answers_[number] = {outcomes.status(), clock_.Elapsed()};
    };
    pipeline_.Add(std::move(take));
    return number;
  }
  size_t Take(absl::Duration time_limit, bool by_caller = false) {
    const size_t number = Add(time_limit, by_caller);
    pipeline_.Flush();
    return number;
  }

  // A store on the same loop, clock and Redis.
  std::unique_ptr<RedisStore> NewReadyStore() {
    RedisStoreOptions options;
    options.target.endpoints = {{.unix_path = redis_.socket()}};
    options.command_timeout = kTimeout;
    options.loops = {&loop_};
    auto store = *NewRedisStore(options, clock_, *metrics_);
    Turn("a store that is ready", [&] { return store->ready(); });
    return store;
  }

  void OnExhausted(const PendingTake&, const CounterState&,
                   absl::Time) override {}
  void OnChanged(const Charge&) override {}
  void OnRepaired(size_t, absl::string_view) override {}

  FakeClock clock_;
  RedisProcess redis_{{.clock = &clock_}};
  FakeLoop loop_{clock_};
  const std::unique_ptr<Resolver> resolver_ = NewResolver();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const Policy policy_ = {.limit = 1'000'000, .window = absl::Hours(1)};
  const Charge charge_ = {
      .policy = &policy_, .key = {.scope = "s", .parts = {}}, .cost = 1};
  std::vector<std::optional<Answer>> answers_;
  Refusals refusals_{clock_};
  Pipeline pipeline_{{.stream = {.loop = loop_, .resolver = *resolver_},
                      .clock = clock_,
                      .listener = *this,
                      .refusals = refusals_,
                      .command_timeout = absl::ToChronoNanoseconds(kTimeout),
                      .access = {}},
                     NewConstantSource({.unix_path = redis_.socket()}),
                     nullptr};
};

TEST_F(RedisHangTest, EachTakeIsAnsweredExactlyAtItsTimeLimit) {
  redis_.Stop();
  const absl::Duration start = clock_.Elapsed();
  const size_t first = Take(kTimeout);
  clock_.Advance(absl::Milliseconds(1));
  const size_t second = Take(kTimeout);
  clock_.Advance(absl::Milliseconds(1));
  const size_t not_sent = Take(kTimeout);
  const size_t hurried = Take(absl::Milliseconds(5), /*by_caller=*/true);

  PassUntil(start + absl::Milliseconds(7) - kTick);
  for (const auto& answer : answers_) EXPECT_FALSE(answer.has_value());
  PassUntil(start + absl::Milliseconds(7));
  ASSERT_TRUE(answers_[hurried].has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(answers_[hurried]->status));

  PassUntil(start + kTimeout - kTick);
  EXPECT_FALSE(answers_[first].has_value());
  EXPECT_TRUE(pipeline_.usable());
  PassUntil(start + kTimeout);
  ASSERT_TRUE(answers_[first].has_value());
  EXPECT_TRUE(absl::IsUnavailable(answers_[first]->status));
  EXPECT_FALSE(pipeline_.usable());
  // The server is late, so the pipeline fails this take before its own time
  // limit.
  ASSERT_TRUE(answers_[not_sent].has_value());
  EXPECT_EQ(answers_[not_sent]->at, start + kTimeout);

  EXPECT_FALSE(answers_[second].has_value());
  PassUntil(start + absl::Milliseconds(11));
  ASSERT_TRUE(answers_[second].has_value());
  EXPECT_EQ(answers_[second]->at, start + absl::Milliseconds(11));
}

TEST_F(RedisHangTest, TenThousandTakesThatExpireTogetherAreAnsweredByOneTimer) {
  redis_.Stop();
  const absl::Duration start = clock_.Elapsed();
  for (int i = 0; i < 10'000; ++i) Add(kTimeout);
  pipeline_.Flush();
  clock_.Advance(kTimeout);
  loop_.FireTimers();
  for (const auto& answer : answers_) {
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->at, start + kTimeout);
  }
  EXPECT_GT(loop_.FirstTimer(), loop_.Now());
}

TEST_F(RedisHangTest, ManyDifferentTimeLimitsAreAllKept) {
  redis_.Stop();
  std::vector<absl::Duration> times;
  for (int i = 0; i < 3'000; ++i) {
    // Some time limits end sooner than the one before, some later.
    const absl::Duration time_limit =
        absl::Microseconds(4000 + i * 7919 % 3000);
    times.push_back(clock_.Elapsed() + time_limit);
    Add(time_limit, /*by_caller=*/true);
  }
  pipeline_.Flush();
  PassUntil(clock_.Elapsed() + kTimeout - kTick);
  for (size_t i = 0; i < times.size(); ++i) {
    ASSERT_TRUE(answers_[i].has_value());
    ASSERT_EQ(answers_[i]->at, times[i]);
  }
}

TEST_F(RedisHangTest, TheStoreMeasuresADeadlineWithItsClock) {
  const auto store = NewReadyStore();
  redis_.Stop();
  const absl::Duration time_limit = absl::Milliseconds(5);
  absl::Status status;
  store->Take({&charge_, 1}, Accounting::kAllOrNothing,
              clock_.Now() + time_limit,
              [&](const auto& outcomes) { status = outcomes.status(); });
  PassUntil(clock_.Elapsed() + time_limit - kTick);
  EXPECT_TRUE(status.ok());
  PassUntil(clock_.Elapsed() + kTick);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(RedisHangTest, ATakeToALateServerFailsBeforeTakeReturns) {
  const auto store = NewReadyStore();
  const auto script_calls = [this] { return redis_.Calls("evalsha"); };
  const int64_t before = script_calls();
  redis_.Stop();

  int refused = 0;
  const auto take = [&] {
    store->Take({&charge_, 1}, Accounting::kAllOrNothing,
                absl::InfiniteFuture(), [&](const auto& outcomes) {
                  refused += absl::IsUnavailable(outcomes.status()) ? 1 : 0;
                });
  };
  take();
  EXPECT_EQ(refused, 0);
  clock_.Advance(kTimeout);
  loop_.FireTimers();
  EXPECT_EQ(refused, 1);

  const SteadyTime first_timer = loop_.FirstTimer();
  for (int i = 0; i < 1000; ++i) {
    take();
    // The answer came before Take() returned, without a timer or network.
    ASSERT_EQ(refused, 2 + i);
    ASSERT_EQ(loop_.FirstTimer(), first_timer);
  }
  redis_.Continue();
  Turn("a store that is ready", [&] { return store->ready(); });
  EXPECT_EQ(script_calls() - before, 1);
}

}  // namespace
}  // namespace rls
