#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "net/event_loop.h"
#include "net/file_descriptor.h"
#include "unit/net_fixture.h"

namespace rls {
namespace {

using ::testing::ElementsAre;

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
  // Three turns of the loop, each of which finds what is ready.
  void RunTurns() {
    for (int turn = 0; turn < 3; ++turn) {
      loop_->Stop();
      loop_->Run();
    }
  }
  // A watch that writes down what it was told.
  std::unique_ptr<EventLoop::Watch> Noting(const Pair& pair) {
    return loop_->NewWatch(pair.near.get(), [this](EventLoop::Ready ready) {
      told_.push_back(std::string(ready.readable ? "r" : "") +
                      (ready.writable ? "w" : ""));
    });
  }

  Pair a_;
  Pair b_;
  std::vector<std::string> told_;
};

TEST_F(WatchTest, TellsOnlyWhatIsWantedAsLongAsItIsSo) {
  const auto watch = Noting(a_);
  a_.Send();
  RunTurns();
  EXPECT_THAT(told_, ElementsAre());
  watch->Want({.readable = true});
  RunTurns();
  EXPECT_THAT(told_, ElementsAre("r", "r", "r"));
  told_.clear();
  watch->Want({.readable = true, .writable = true});
  RunTurns();
  EXPECT_THAT(told_, ElementsAre("rw", "rw", "rw"));
  told_.clear();
  a_.Receive();
  RunTurns();
  EXPECT_THAT(told_, ElementsAre("w", "w", "w"));
  told_.clear();
  watch->Want({});
  RunTurns();
  EXPECT_THAT(told_, ElementsAre());
}

TEST_F(WatchTest, TellsAHangUpAsBothUnlessNothingIsWanted) {
  const auto watch = Noting(a_);
  a_.far = FileDescriptor();
  RunTurns();
  EXPECT_THAT(told_, ElementsAre());
  watch->Want({.readable = true});
  RunTurns();
  EXPECT_THAT(told_, ElementsAre("rw", "rw", "rw"));
}

TEST_F(WatchTest, WakesTheLoopThatWaits) {
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
    ++*kept;  // still there after the watch
  });
  watch->Want({.readable = true});
  a_.Send();
  RunTurns();
  EXPECT_EQ(*kept, 1);
  EXPECT_EQ(kept.use_count(), 1);
}

TEST_F(WatchTest, MayBeDestroyedByAnothersCallbackOfTheSameTurn) {
  std::unique_ptr<EventLoop::Watch> a;
  std::unique_ptr<EventLoop::Watch> b;
  int told = 0;
  // Whichever is told first destroys the other.
  a = loop_->NewWatch(a_.near.get(), [&](EventLoop::Ready) {
    ++told;
    b.reset();
    b_.near = FileDescriptor();
  });
  b = loop_->NewWatch(b_.near.get(), [&](EventLoop::Ready) {
    ++told;
    a.reset();
    a_.near = FileDescriptor();
  });
  a->Want({.readable = true});
  b->Want({.readable = true});
  a_.Send();
  b_.Send();
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(told, 1);
}

TEST_F(WatchTest, HearsNoMoreInTheTurnInWhichItsWishChanged) {
  std::unique_ptr<EventLoop::Watch> a;
  std::unique_ptr<EventLoop::Watch> b;
  int told = 0;
  a = loop_->NewWatch(a_.near.get(), [&](EventLoop::Ready) {
    ++told;
    b->Want({});
  });
  b = loop_->NewWatch(b_.near.get(), [&](EventLoop::Ready) {
    ++told;
    a->Want({.writable = false});
  });
  a->Want({.readable = true});
  b->Want({.readable = true});
  a_.Send();
  b_.Send();
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(told, 1);
}

TEST_F(WatchTest, ServesMoreDescriptorsThanOneTurnFinds) {
  constexpr size_t kMany = 300;
  std::vector<Pair> pairs(kMany);
  std::vector<std::unique_ptr<EventLoop::Watch>> watches;
  size_t told = 0;
  for (Pair& pair : pairs) {
    watches.push_back(loop_->NewWatch(pair.near.get(), [&](EventLoop::Ready) {
      pair.Receive();
      ++told;
    }));
    watches.back()->Want({.readable = true});
    pair.Send();
  }
  EXPECT_TRUE(RunUntil([&] { return told == kMany; }));
}

}  // namespace
}  // namespace rls
