// What nodes of a cluster say of slots, also when it makes no sense.

#include <gtest/gtest.h>

#include <string>

#include "store_redis/cluster_slots.h"

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
  // The vector of the specification: CRC-16 of it is 0x31C3.
  EXPECT_EQ(ClusterSlotOf("123456789"), 0x31C3 % 16384);
  EXPECT_EQ(ClusterSlotOf(""), 0);
}

TEST(ClusterSlotsTest, OnlyTheFirstBracesCountIfThereIsSomethingInThem) {
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
  // A node that does not know where it is: where the reply came from.
  EXPECT_EQ((*slots)[1].master, (Endpoint{.host = "seed", .port = 7003}));
}

TEST(ClusterSlotsTest, WhatIsNoMapIsRefused) {
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

TEST(ClusterSlotsTest, RedirectionsSayWhere) {
  const auto moved = ReadRedirection("MOVED 3999 10.0.0.1:6381", kFrom);
  ASSERT_TRUE(moved.has_value());
  EXPECT_TRUE(moved->for_good);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to, (Endpoint{.host = "10.0.0.1", .port = 6381}));

  const auto ask = ReadRedirection("ASK 16383 ::1:6381", kFrom);
  ASSERT_TRUE(ask.has_value());
  EXPECT_FALSE(ask->for_good);
  EXPECT_EQ(ask->to, (Endpoint{.host = "::1", .port = 6381}));

  const auto unknown = ReadRedirection("MOVED 0 :6381", kFrom);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->to, (Endpoint{.host = "seed", .port = 6381}));
}

TEST(ClusterSlotsTest, WhatIsNoRedirectionIsNone) {
  for (const char* error :
       {"", "MOVED", "MOVED 1", "MOVED 16384 a:1", "MOVED -1 a:1",
        "MOVED x a:1", "MOVED 1 a", "MOVED 1 a:0", "MOVED 1 a:65536",
        "MOVED 1 a:1 b", "TRYAGAIN Multiple keys", "ERR MOVED 1 a:1"}) {
    EXPECT_FALSE(ReadRedirection(error, kFrom).has_value()) << error;
  }
}

}  // namespace
}  // namespace rls
