// A Redis store on the loops of another owner.

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "net/event_loop.h"
#include "store/redis/redis_store.h"
#include "support/redis_process.h"
#include "support/wait_until.h"

namespace rls {
namespace {

class RedisLoopsTest : public ::testing::Test {
 protected:
  RedisLoopsTest() {
    RedisStoreOptions options;
    options.target.endpoints = {{.unix_path = redis_.socket()}};
    options.command_timeout = absl::Minutes(1);
    options.loops = {&loops_[0], &loops_[1]};
    store_ = *NewRedisStore(options, *clock_, *metrics_);
    loops_.Start();
    WaitUntil("a store that is ready", [&] { return store_->ready(); });
  }
  ~RedisLoopsTest() override { loops_.Stop(); }

  // Takes on the current thread. `answered` gets the loop of the answer.
  void TakeOne(std::promise<EventLoop*>& answered) {
    store_->Take({&charge_, 1}, Accounting::kAllOrNothing,
                 absl::InfiniteFuture(), [&](const auto& outcomes) {
                   EXPECT_TRUE(outcomes.ok()) << outcomes.status();
                   answered.set_value(RunningLoop());
                 });
  }

  const RedisProcess redis_;
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const Policy policy_ = {.limit = 100, .window = absl::Hours(1)};
  const Charge charge_ = {
      .policy = &policy_, .key = {.scope = "s", .parts = {}}, .cost = 1};
  LoopThreads loops_{2};
  std::unique_ptr<RedisStore> store_;
};

TEST_F(RedisLoopsTest, ATakeOnALoopIsAnsweredOnThatLoop) {
  for (size_t i = 0; i < loops_.size(); ++i) {
    std::promise<EventLoop*> answered;
    loops_[i].Post([&] { TakeOne(answered); });
    EXPECT_EQ(answered.get_future().get(), &loops_[i]);
  }
}

TEST_F(RedisLoopsTest, ATakeOnAnotherThreadIsAnsweredOnALoop) {
  std::promise<EventLoop*> answered;
  TakeOne(answered);
  EXPECT_NE(answered.get_future().get(), nullptr);
}

}  // namespace
}  // namespace rls
