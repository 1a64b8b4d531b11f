// How the map of hash slots is read, and masters that never answer.

#include "store/redis/cluster_nodes.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "fake_clock.h"
#include "fake_loop.h"
#include "net/resolver.h"

namespace rls {
namespace {

const Endpoint kFrom{.host = "seed", .port = 7000};

absl::StatusOr<std::vector<SlotRange>> Read(const std::string& bytes) {
  ReplyReader reader;
  reader.Feed(bytes);
  const auto reply = reader.Next();
  EXPECT_TRUE(reply.ok() && *reply != nullptr) << bytes;
  return ReadClusterSlots(ReplyView(reply->get()), kFrom);
}

TEST(ClusterSlotsTest, ASlotIsAChecksumOfTheKey) {
  // The test vector of the specification: its CRC-16 is 0x31C3.
  EXPECT_EQ(ClusterSlotOf("123456789"), 0x31C3 % 16384);
  EXPECT_EQ(ClusterSlotOf(""), 0);
}

TEST(ClusterSlotsTest, OnlyTheFirstBracesCountUnlessTheyAreEmpty) {
  const int slot = ClusterSlotOf("user1000");
  EXPECT_EQ(ClusterSlotOf("{user1000}.following"), slot);
  EXPECT_EQ(ClusterSlotOf("a{user1000}{other}"), slot);
  EXPECT_NE(ClusterSlotOf("{}{user1000}"), slot);
  EXPECT_NE(ClusterSlotOf("{user1000"), slot);
  EXPECT_EQ(ClusterSlotOf("foo{{bar}}zap"), ClusterSlotOf("{bar"));
}

TEST(ClusterSlotsTest, RangesNameTheirMasters) {
  const auto slots = Read(
      "*2\r\n"
      "*4\r\n:0\r\n:5460\r\n*2\r\n$4\r\nhost\r\n:7001\r\n"
      "*2\r\n$7\r\nreplica\r\n:7002\r\n"
      "*3\r\n:5461\r\n:16383\r\n*3\r\n$-1\r\n:7003\r\n$2\r\nid\r\n");
  ASSERT_TRUE(slots.ok()) << slots.status();
  ASSERT_EQ(slots->size(), 2);
  EXPECT_EQ((*slots)[0].first, 0);
  EXPECT_EQ((*slots)[0].last, 5460);
  EXPECT_EQ((*slots)[0].master, (Endpoint{.host = "host", .port = 7001}));
  // The node does not know its own host, so the host of the reply is used.
  EXPECT_EQ((*slots)[1].master, (Endpoint{.host = "seed", .port = 7003}));
}

TEST(ClusterSlotsTest, OtherRepliesAreRefused) {
  for (const std::string bytes : {
           "*0\r\n",
           "+OK\r\n",
           "*1\r\n:1\r\n",
           "*1\r\n*2\r\n:0\r\n:1\r\n",
           "*1\r\n*3\r\n:0\r\n:1\r\n:2\r\n",
           "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n",
           "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
           "*1\r\n*3\r\n:-1\r\n:2\r\n*2\r\n$1\r\na\r\n:1\r\n",
           "*1\r\n*3\r\n:3\r\n:2\r\n*2\r\n$1\r\na\r\n:1\r\n",
           "*1\r\n*3\r\n:0\r\n:2\r\n*2\r\n$1\r\na\r\n:65536\r\n",
           "*1\r\n*3\r\n:0\r\n:2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
       }) {
    EXPECT_TRUE(absl::IsUnavailable(Read(bytes).status())) << bytes;
  }
}

TEST(ClusterSlotsTest, RedirectionsNameTheNode) {
  const auto moved = ReadRedirection("MOVED 3999 10.0.0.1:6381", kFrom);
  ASSERT_TRUE(moved.has_value());
  EXPECT_TRUE(moved->permanent);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to, (Endpoint{.host = "10.0.0.1", .port = 6381}));

  const auto ask = ReadRedirection("ASK 16383 ::1:6381", kFrom);
  ASSERT_TRUE(ask.has_value());
  EXPECT_FALSE(ask->permanent);
  EXPECT_EQ(ask->to, (Endpoint{.host = "::1", .port = 6381}));

  const auto unknown = ReadRedirection("MOVED 0 :6381", kFrom);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->to, (Endpoint{.host = "seed", .port = 6381}));
}

TEST(ClusterSlotsTest, OtherErrorsAreNoRedirections) {
  for (const char* error :
       {"", "MOVED", "MOVED 1", "MOVED 16384 a:1", "MOVED -1 a:1",
        "MOVED x a:1", "MOVED 1 a", "MOVED 1 a:0", "MOVED 1 a:65536",
        "MOVED 1 a:1 b", "TRYAGAIN Multiple keys", "ERR MOVED 1 a:1"}) {
    EXPECT_FALSE(ReadRedirection(error, kFrom).has_value()) << error;
  }
}

class IgnoresAll final : public PipelineOwner, public CounterListener {
 public:
  void OnRefused(Pipeline&, PendingTakes, absl::string_view) override {}
  void OnChange(Pipeline&) override {}
  void OnExhausted(const PendingTake&, const CounterState&,
                   absl::Time) override {}
  void OnChanged(const Charge&) override {}
  void OnRepaired(size_t, absl::string_view) override {}
};

class ClusterNodesTest : public ::testing::Test {
 protected:
  // Each failed connection would be a line in the log.
  ClusterNodesTest() { SetLogLevel(LogLevel::kError); }
  ~ClusterNodesTest() override { SetLogLevel(LogLevel::kInfo); }

  static Endpoint Master(size_t number) {
    return {.unix_path = absl::StrCat("/nonexistent/", number)};
  }

  // Runs in a task: the tasks that it posts then run after it.
  Pipeline* At(size_t number) {
    Pipeline* pipeline = nullptr;
    loop_.Post([&] { pipeline = nodes_.At(Master(number)); });
    return pipeline;
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  const std::unique_ptr<Resolver> resolver_ = NewResolver();
  IgnoresAll ignores_all_;
  Refusals refusals_{clock_};
  ClusterNodes nodes_{{.stream = {.loop = loop_, .resolver = *resolver_},
                       .clock = clock_,
                       .listener = ignores_all_,
                       .refusals = refusals_,
                       .command_timeout = std::chrono::milliseconds(10)},
                      ignores_all_};
};

TEST_F(ClusterNodesTest, TooManyMastersAreNotConnected) {
  for (size_t i = 0; i < ClusterNodes::kMaxNodes; ++i) {
    ASSERT_NE(At(i), nullptr);
  }
  const Endpoint more = Master(ClusterNodes::kMaxNodes);
  EXPECT_EQ(At(ClusterNodes::kMaxNodes), nullptr);
  EXPECT_EQ(At(7)->endpoint(), Master(7));

  nodes_.MoveSlot(1, Master(7));
  nodes_.MoveSlot(1, more);
  EXPECT_EQ(nodes_.WithSlot(1), At(7));

  nodes_.Assign({{.first = 0, .last = 1, .master = more},
                 {.first = 2, .last = 2, .master = Master(0)}});
  EXPECT_EQ(nodes_.WithSlot(1), nullptr);
  EXPECT_EQ(nodes_.WithSlot(2), At(0));
}

TEST_F(ClusterNodesTest, MastersWithoutSlotsMakeRoom) {
  for (size_t i = 0; i < ClusterNodes::kMaxNodes; ++i) At(i);
  for (int round = 0; round < 4; ++round) {
    nodes_.Assign({{.first = 0, .last = 0, .master = Master(0)}});
  }
  EXPECT_NE(At(ClusterNodes::kMaxNodes), nullptr);
}

}  // namespace
}  // namespace rls
