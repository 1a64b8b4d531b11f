#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>

#include <atomic>
#include <string>

#include "net/resolver.h"
#include "unit/net_fixture.h"

namespace {

// How often the system was asked for "slow.test", and has answered; it answers
// only what `released` allows.
std::atomic<int> asked{0};
std::atomic<int> answered{0};
std::atomic<int> released{0};

}  // namespace

// In the place of the C library's, which it calls.
extern "C" int getaddrinfo(const char* host, const char* port,
                           const addrinfo* hints, addrinfo** found) {
  static auto* const system_s =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (std::string(host) != "slow.test") {
    return system_s(host, port, hints, found);
  }
  if ((hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
  const int turn = ++asked;
  for (int now = released; now < turn; now = released) released.wait(now);
  const int error = system_s("127.0.0.1", port, hints, found);
  ++answered;
  return error;
}

namespace rls {
namespace {

class SlowResolverTest : public LoopTest {
 protected:
  SlowResolverTest() { asked = answered = released = 0; }

  void Ask(const std::string& host) {
    resolver_->Resolve({host, 6379, ""}, *loop_, [this](auto found) {
      EXPECT_TRUE(found.ok()) << found.status();
      ++answers_;
    });
  }
  bool Reaches(const std::atomic<int>& count, int value) {
    return RunUntil([&] { return count == value; });
  }
  static void Release(int count) {
    released = count;
    released.notify_all();
  }

  std::unique_ptr<Resolver> resolver_ = NewResolver();
  std::atomic<int> answers_{0};
};

TEST_F(SlowResolverTest, WhoWaitsForOneNameSharesOneQuestion) {
  Ask("slow.test");
  ASSERT_TRUE(Reaches(asked, 1));
  // Not the one that is under way: its answer may be out of date by now.
  for (int i = 0; i < 10; ++i) Ask("slow.test");
  Release(1);
  ASSERT_TRUE(Reaches(answers_, 1));
  ASSERT_TRUE(Reaches(asked, 2));
  Release(2);
  ASSERT_TRUE(Reaches(answers_, 11));
  EXPECT_EQ(asked, 2);
}

TEST_F(SlowResolverTest, ALiteralAddressWaitsForNoName) {
  Ask("slow.test");
  ASSERT_TRUE(Reaches(asked, 1));
  Ask("127.0.0.1");
  EXPECT_TRUE(Reaches(answers_, 1));
  Release(1);
  EXPECT_TRUE(Reaches(answers_, 2));
}

TEST_F(SlowResolverTest, ItsEndDoesNotWaitForTheSystem) {
  Ask("slow.test");
  ASSERT_TRUE(Reaches(asked, 1));
  Ask("slow.test");
  resolver_.reset();
  EXPECT_EQ(answered, 0);
  Release(1);
  EXPECT_TRUE(Reaches(answered, 1));
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(answers_, 0);
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace rls
