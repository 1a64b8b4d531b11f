#include "net/event_loop.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.h"
#include "unit/net/net_fixture.h"

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

TEST_F(EventLoopTest, RunsTheTasksPostedBeforeStop) {
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

// Each task is posted while its loop sleeps, so a lost wake-up would end the
// test with a time-out.
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

// Posts a task in its destructor.
struct LatePoster {
  explicit LatePoster(EventLoop& its) : loop(its) {}
  ~LatePoster() {
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
    auto late_poster = std::make_unique<LatePoster>(*loop);
    held = late_poster->held;
    auto timer = loop->NewTimer([] {});
    auto watch = loop->NewWatch(socket.get(), [](EventLoop::Ready) {});
    timer->Set(SteadyTime::max());
    watch->Want({.readable = true});
    loop->Post([late_poster = std::move(late_poster), timer = std::move(timer),
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
  // A busy machine may delay some timers. Only a coarse clock delays all of
  // them.
  EXPECT_LT(least, milliseconds(1));
}

TEST_F(EventLoopTest, UsesNoProcessorTimeWhileItWaits) {
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

TEST_F(EventLoopTest, NowIsTheSameThroughoutATurn) {
  int fired = 0;
  const auto timer = loop_->NewTimer([&] {
    ++fired;
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
  EXPECT_EQ(fired, 1);
}

// Two connected sockets.
struct Pair {
  Pair() {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()),
              0);
    near = FileDescriptor(ends[0]);
    far = FileDescriptor(ends[1]);
  }
  void Send() { EXPECT_EQ(send(far.get(), "x", 1, 0), 1); }
  void Receive() {
    char byte = 0;
    EXPECT_EQ(recv(near.get(), &byte, 1, 0), 1);
  }

  FileDescriptor near;
  FileDescriptor far;
};

class WatchTest : public LoopTest {
 protected:
  // Runs three turns of the loop.
  void RunTurns() {
    for (int turn = 0; turn < 3; ++turn) {
      loop_->Stop();
      loop_->Run();
    }
  }
  // A watch that records each readiness that it gets.
  std::unique_ptr<EventLoop::Watch> Recording(const Pair& pair) {
    return loop_->NewWatch(pair.near.get(), [this](EventLoop::Ready ready) {
      seen_.push_back(std::string(ready.readable ? "r" : "") +
                      (ready.writable ? "w" : ""));
    });
  }

  Pair a_;
  Pair b_;
  std::vector<std::string> seen_;
};

TEST_F(WatchTest, ReportsWantedReadinessInEachTurn) {
  const auto watch = Recording(a_);
  a_.Send();
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre());
  watch->Want({.readable = true});
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre("r", "r", "r"));
  seen_.clear();
  watch->Want({.readable = true, .writable = true});
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre("rw", "rw", "rw"));
  seen_.clear();
  a_.Receive();
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre("w", "w", "w"));
  seen_.clear();
  watch->Want({});
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre());
}

TEST_F(WatchTest, ReportsAHangUpAsBothUnlessNothingIsWanted) {
  const auto watch = Recording(a_);
  a_.far = FileDescriptor();
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre());
  watch->Want({.readable = true});
  RunTurns();
  EXPECT_THAT(seen_, ElementsAre("rw", "rw", "rw"));
}

TEST_F(WatchTest, WakesASleepingLoop) {
  bool readable = false;
  const auto watch = loop_->NewWatch(a_.near.get(), [&](EventLoop::Ready) {
    readable = true;
    loop_->Stop();
  });
  watch->Want({.readable = true});
  std::thread sender([&] { a_.Send(); });
  loop_->Run();
  sender.join();
  EXPECT_TRUE(readable);
}

TEST_F(WatchTest, MayBeDestroyedByItsOwnCallback) {
  std::unique_ptr<EventLoop::Watch> watch;
  const auto kept = std::make_shared<int>();
  watch = loop_->NewWatch(a_.near.get(), [&, kept](EventLoop::Ready) {
    watch.reset();
    a_.near = FileDescriptor();
    ++*kept;  // valid although the watch is gone
  });
  watch->Want({.readable = true});
  a_.Send();
  RunTurns();
  EXPECT_EQ(*kept, 1);
  EXPECT_EQ(kept.use_count(), 1);
}

TEST_F(WatchTest, MayBeDestroyedByAnotherCallbackOfTheSameTurn) {
  std::unique_ptr<EventLoop::Watch> a;
  std::unique_ptr<EventLoop::Watch> b;
  int calls = 0;
  // The watch that is called first destroys the other.
  a = loop_->NewWatch(a_.near.get(), [&](EventLoop::Ready) {
    ++calls;
    b.reset();
    b_.near = FileDescriptor();
  });
  b = loop_->NewWatch(b_.near.get(), [&](EventLoop::Ready) {
    ++calls;
    a.reset();
    a_.near = FileDescriptor();
  });
  a->Want({.readable = true});
  b->Want({.readable = true});
  a_.Send();
  b_.Send();
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(WatchTest, IsNotCalledInTheTurnInWhichItsInterestEnded) {
  std::unique_ptr<EventLoop::Watch> a;
  std::unique_ptr<EventLoop::Watch> b;
  int calls = 0;
  a = loop_->NewWatch(a_.near.get(), [&](EventLoop::Ready) {
    ++calls;
    b->Want({});
  });
  b = loop_->NewWatch(b_.near.get(), [&](EventLoop::Ready) {
    ++calls;
    a->Want({.writable = false});
  });
  a->Want({.readable = true});
  b->Want({.readable = true});
  a_.Send();
  b_.Send();
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(WatchTest, ServesMoreDescriptorsThanOneTurnReturns) {
  constexpr size_t kMany = 300;
  std::vector<Pair> pairs(kMany);
  std::vector<std::unique_ptr<EventLoop::Watch>> watches;
  size_t calls = 0;
  for (Pair& pair : pairs) {
    watches.push_back(loop_->NewWatch(pair.near.get(), [&](EventLoop::Ready) {
      pair.Receive();
      ++calls;
    }));
    watches.back()->Want({.readable = true});
    pair.Send();
  }
  EXPECT_TRUE(RunUntil([&] { return calls == kMany; }));
}

}  // namespace
}  // namespace rls
