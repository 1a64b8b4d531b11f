#include "net/resolver.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "unit/net/net_fixture.h"

namespace {

// The numbers of lookups of "slow.test" that have started, that have ended,
// and that are allowed to end.
std::atomic<int> started{0};
std::atomic<int> ended{0};
std::atomic<int> released{0};

}  // namespace

// Replaces getaddrinfo() of the C library, and calls it.
extern "C" int getaddrinfo(const char* host, const char* port,
                           const addrinfo* hints, addrinfo** found) {
  static auto* const system_s =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (std::string(host) != "slow.test") {
    return system_s(host, port, hints, found);
  }
  if ((hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
  const int turn = ++started;
  for (int now = released; now < turn; now = released) released.wait(now);
  const int error = system_s("127.0.0.1", port, hints, found);
  ++ended;
  return error;
}

namespace rls {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Text(const SocketAddress& address) {
  if (address.storage.ss_family == AF_UNIX) {
    sockaddr_un unix_address = {};
    std::memcpy(&unix_address, &address.storage, sizeof(unix_address));
    return unix_address.sun_path;
  }
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  EXPECT_EQ(getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage),
                        address.length, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV),
            0);
  return absl::StrCat(host, " ", port);
}

class ResolverTest : public LoopTest {
 protected:
  void Resolve(const Endpoint& endpoint) {
    answer_.reset();
    resolver_->Resolve(endpoint, *loop_, [this](Resolver::Addresses found) {
      answer_ = std::move(found);
      ++answers_;
    });
    EXPECT_FALSE(answer_.has_value()) << "within Resolve()";
  }

  std::vector<std::string> Addresses(const Endpoint& endpoint) {
    Resolve(endpoint);
    EXPECT_TRUE(RunUntil([&] { return answer_.has_value(); }));
    if (!answer_->ok()) return {};
    std::vector<std::string> texts;
    for (const SocketAddress& address : **answer_) {
      texts.push_back(Text(address));
    }
    return texts;
  }

  std::unique_ptr<Resolver> resolver_ = NewResolver();
  std::optional<Resolver::Addresses> answer_;
  int answers_ = 0;
};

TEST_F(ResolverTest, TakesLiteralAddressesAsTheyAre) {
  EXPECT_THAT(Addresses({"127.0.0.2", 7000, ""}),
              ElementsAre("127.0.0.2 7000"));
  EXPECT_THAT(Addresses({"2001:db8::1", 1, ""}), ElementsAre("2001:db8::1 1"));
  EXPECT_THAT(Addresses({"", 0, "/run/redis.sock"}),
              ElementsAre("/run/redis.sock"));
}

TEST_F(ResolverTest, FindsANameOfTheHostsFile) {
  EXPECT_THAT(Addresses({"localhost", 6379, ""}), Contains("127.0.0.1 6379"));
}

TEST_F(ResolverTest, NamesAHostThatItCannotFind) {
  EXPECT_THAT(Addresses({"no-such-host.invalid", 6379, ""}), ElementsAre());
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer_->status().message()),
              HasSubstr("no-such-host.invalid:6379: "));
}

TEST_F(ResolverTest, RefusesAPathThatFitsInNoSocketAddress) {
  EXPECT_THAT(Addresses({"", 0, "/" + std::string(107, 'p')}), ElementsAre());
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer_->status().message()), HasSubstr("too long"));
}

TEST_F(ResolverTest, ServesManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      const auto loop = NewEventLoop();
      int left = 100;
      for (int i = 0; i < 100; ++i) {
        const Endpoint endpoint{"localhost", static_cast<uint16_t>(1 + i % 3),
                                ""};
        resolver_->Resolve(endpoint, *loop, [&, endpoint](auto found) {
          const std::string end = absl::StrCat(" ", endpoint.port);
          right += found.ok() && Text(found->front()).ends_with(end) ? 1 : 0;
          if (--left == 0) loop->Stop();
        });
      }
      loop->Run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

TEST_F(ResolverTest, ADestroyedResolverRunsNoCallback) {
  for (const char* const host : {"127.0.0.1", "localhost"}) {
    resolver_ = NewResolver();
    for (int i = 0; i < 10; ++i) Resolve({host, 1, ""});
    resolver_.reset();
    loop_->Post([&] { loop_->Stop(); });
    loop_->Run();
  }
  EXPECT_EQ(answers_, 0);
}

class SlowResolverTest : public LoopTest {
 protected:
  SlowResolverTest() { started = ended = released = 0; }

  void Resolve(const std::string& host) {
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

TEST_F(SlowResolverTest, LookupsOfOneNameThatWaitAreOneLookup) {
  Resolve("slow.test");
  ASSERT_TRUE(Reaches(started, 1));
  // They do not join the lookup that is under way, because its result may be
  // out of date.
  for (int i = 0; i < 10; ++i) Resolve("slow.test");
  Release(1);
  ASSERT_TRUE(Reaches(answers_, 1));
  ASSERT_TRUE(Reaches(started, 2));
  Release(2);
  ASSERT_TRUE(Reaches(answers_, 11));
  EXPECT_EQ(started, 2);
}

TEST_F(SlowResolverTest, ALiteralAddressDoesNotWaitForASlowName) {
  Resolve("slow.test");
  ASSERT_TRUE(Reaches(started, 1));
  Resolve("127.0.0.1");
  EXPECT_TRUE(Reaches(answers_, 1));
  Release(1);
  EXPECT_TRUE(Reaches(answers_, 2));
}

TEST_F(SlowResolverTest, ItsDestructorDoesNotWaitForTheSystem) {
  Resolve("slow.test");
  ASSERT_TRUE(Reaches(started, 1));
  Resolve("slow.test");
  resolver_.reset();
  EXPECT_EQ(ended, 0);
  Release(1);
  EXPECT_TRUE(Reaches(ended, 1));
  loop_->Stop();
  loop_->Run();
  EXPECT_EQ(answers_, 0);
  EXPECT_EQ(started, 1);
}

}  // namespace
}  // namespace rls
