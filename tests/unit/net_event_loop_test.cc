#include <gmock/gmock.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "net/event_loop.h"
#include "net/file_descriptor.h"
#include "unit/net_fixture.h"

namespace rls {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;

class EventLoopTest : public LoopTest {};

TEST_F(EventLoopTest, RunsTasksInTheOrderOfPosting) {
  std::vector<int> ran;
  loop_->Post([&] {
    ran.push_back(1);
    loop_->Post([&] { ran.push_back(3); });
    loop_->Post([&] { loop_->Stop(); });
  });
  loop_->Post([&] { ran.push_back(2); });
  loop_->Run();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST_F(EventLoopTest, RunsWhatWasPostedBeforeItWasStopped) {
  int ran = 0;
  loop_->Stop();
  loop_->Run();
  loop_->Post([&] { ++ran; });
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(ran, 1);
  // And again.
  loop_->Post([&] {
    ++ran;
    loop_->Stop();
  });
  loop_->Run();
  EXPECT_EQ(ran, 2);
}

TEST_F(EventLoopTest, RunsTheTasksOfManyThreadsEachThreadsInOrder) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 20'000;
  std::array<int, kThreads> next = {};
  int left = kThreads * kTasks;
  bool in_order = true;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kTasks; ++i) {
        loop_->Post([&, thread, i] {
          in_order = in_order && next[thread] == i;
          next[thread] = i + 1;
          if (--left == 0) loop_->Stop();
        });
      }
    });
  }
  loop_->Run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(in_order);
  EXPECT_EQ(left, 0);
}

// Each task is posted when the loop has nothing else to do, and would be lost
// with its wake-up.
TEST_F(EventLoopTest, LosesNoWakeUp) {
  const auto other = NewEventLoop();
  std::thread thread([&] { other->Run(); });
  int rounds = 0;
  absl::AnyInvocable<void()> ping = [&] {
    if (++rounds == 5'000) {
      loop_->Stop();
      return;
    }
    other->Post([&] { loop_->Post([&] { ping(); }); });
  };
  loop_->Post([&] { ping(); });
  loop_->Run();
  other->Stop();
  thread.join();
  EXPECT_EQ(rounds, 5'000);
}

// Posts when it goes.
struct LastWords {
  explicit LastWords(EventLoop& its) : loop(its) {}
  ~LastWords() {
    loop.Post([held = held] {});
  }
  EventLoop& loop;
  const std::shared_ptr<int> held = std::make_shared<int>();
};

TEST_F(EventLoopTest, DestroysTasksThatNeverRanWithWhatTheyOwn) {
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  std::weak_ptr<int> held;
  {
    const auto loop = NewEventLoop();
    auto last_words = std::make_unique<LastWords>(*loop);
    held = last_words->held;
    auto timer = loop->NewTimer([] {});
    auto watch = loop->NewWatch(socket.get(), [](EventLoop::Ready) {});
    timer->Set(SteadyTime::max());
    watch->Want({.readable = true});
    loop->Post([last_words = std::move(last_words), timer = std::move(timer),
                watch = std::move(watch)] {});
  }
  EXPECT_TRUE(held.expired());
}

TEST_F(EventLoopTest, FiresTimersNeverEarlyAndInTime) {
  std::vector<std::unique_ptr<EventLoop::Timer>> timers;
  const SteadyTime start = steady_clock::now();
  size_t fired = 0;
  SteadyDuration least = SteadyDuration::max();
  for (int i = 0; i < 40; ++i) {
    const SteadyTime at = start + i * microseconds(777);
    timers.push_back(loop_->NewTimer([&, at] {
      const SteadyDuration late = steady_clock::now() - at;
      EXPECT_GE(late, SteadyDuration::zero());
      EXPECT_GE(loop_->Now(), at);
      least = std::min(least, late);
      if (++fired == timers.size()) loop_->Stop();
    }));
    timers.back()->Set(at);
  }
  loop_->Run();
  EXPECT_EQ(fired, timers.size());
  // The rest may be the machine's fault; a coarse clock would spoil them all.
  EXPECT_LT(least, milliseconds(1));
}

TEST_F(EventLoopTest, WaitsWithoutWorking) {
  const auto processor_time = [] {
    timespec used = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) +
           std::chrono::nanoseconds(used.tv_nsec);
  };
  const auto before = processor_time();
  const auto timer = loop_->NewTimer([&] { loop_->Stop(); });
  timer->Set(loop_->Now() + milliseconds(200));
  loop_->Run();
  EXPECT_LT(processor_time() - before, milliseconds(20));
}

TEST_F(EventLoopTest, TellsOneTimeThroughoutATurn) {
  std::vector<SteadyTime> told;
  const auto timer = loop_->NewTimer([&] {
    told.push_back(loop_->Now());
    loop_->Stop();
  });
  timer->Set(loop_->Now());
  loop_->Post([&] {
    const SteadyTime begin = loop_->Now();
    while (steady_clock::now() < begin + milliseconds(1)) {
    }
    EXPECT_EQ(loop_->Now(), begin);
  });
  loop_->Run();
  EXPECT_EQ(told.size(), 1U);
}

}  // namespace
}  // namespace rls
