// The store with real sentinels: it always uses the master, and no other
// server.

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/redis_sentinels.h"
#include "support/wait_until.h"
#include "unit/store/redis/topology.h"

namespace rls {
namespace {

// A statistic of a server. Sentinels have no statistics of single commands.
int64_t Statistic(const RedisProcess& redis, const std::string& name) {
  const std::string info = redis.Command({"INFO", "stats"}).text;
  const size_t found = info.find(name + ":");
  return found == std::string::npos
             ? -1
             : std::atoll(info.c_str() + found + name.size() + 1);
}

TEST(RedisSentinelTest, FollowsTheMasterThroughFailovers) {
  RedisSentinels redis;
  TopologyStore store("redis+sentinel://" + redis.hosts() + "/m");
  store.WaitUntilReady();
  EXPECT_EQ(store.Take("a", 10)->remaining, 9);
  EXPECT_GT(ScriptCalls(redis.master()), 0);
  EXPECT_EQ(ScriptCalls(redis.replica()), 0);

  redis.master().Kill();
  WaitUntil("answers of the new master", [&] { return store.Answers(); });
  EXPECT_EQ(RoleOf(redis.replica()), "master");
  EXPECT_TRUE(store.Take("a", 10).ok());

  // The old master comes back as an empty master. The store must not use it.
  redis.master().Start();
  const int64_t answered = ScriptCalls(redis.replica());
  WaitUntil("many answers", [&] {
    EXPECT_TRUE(store.Take("a", 1000).ok());
    return ScriptCalls(redis.replica()) > answered + 200;
  });
  EXPECT_EQ(ScriptCalls(redis.master()), 0);
}

TEST(RedisSentinelTest, LeavesAReplacedMasterThatStillRuns) {
  RedisSentinels redis;
  TopologyStore store("redis+sentinel://" + redis.hosts() + "/m");
  store.WaitUntilReady();
  for (int64_t taken = 1; taken <= 20; ++taken) {
    EXPECT_EQ(store.Take("a", 100)->remaining, 100 - taken);
  }
  redis.FailOver();
  WaitUntil("answers of the new master", [&] {
    return store.Answers() && ScriptCalls(redis.replica()) > 0;
  });
  // No take was in flight, so no charge is lost.
  EXPECT_EQ(store.Take("a", 100)->remaining, 79);
}

TEST(RedisSentinelTest, LostSentinelsDoNoHarm) {
  RedisSentinels redis;
  redis.sentinel(0).Kill();
  redis.sentinel(1).Stop();
  TopologyStore store("redis+sentinel://" + redis.hosts() + "/m");
  store.WaitUntilReady();
  EXPECT_TRUE(store.Answers());
  // Without any sentinel the store still uses the master.
  redis.sentinel(2).Kill();
  EXPECT_TRUE(store.Answers());
}

TEST(RedisSentinelTest, ASentinelThatMissedAFailoverIsIgnored) {
  // The second group has the newer epoch, because it had a failover.
  RedisSentinels old_group({.sentinels = 1});
  RedisSentinels new_group({.sentinels = 1});
  new_group.FailOver();
  TopologyStore store("redis+sentinel://" + old_group.hosts() + "," +
                      new_group.hosts() + "/m");
  WaitUntil("answers of the new master", [&] {
    return store.Answers() && ScriptCalls(new_group.replica()) > 0;
  });
  const int64_t at_old_master = ScriptCalls(old_group.master());
  const RedisProcess& stale = old_group.sentinel(0);
  int64_t own = 0;  // connections of this test
  const auto lookups = [&] {
    return Statistic(stale, "total_connections_received") - ++own;
  };
  const int64_t before = lookups();
  WaitUntil("a lookup at the old sentinel", [&] {
    EXPECT_TRUE(store.Answers());
    return lookups() > before + 2;
  });
  EXPECT_EQ(ScriptCalls(old_group.master()), at_old_master);
}

TEST(RedisSentinelTest, ServersAndSentinelsHaveSeparatePasswords) {
  RedisSentinels redis({.password = "pwd1", .sentinel_password = "pwd2"});
  RedisTarget target = TargetOf("redis+sentinel://" + redis.hosts() + "/m");
  target.credentials.password = "pwd1";
  target.sentinel_credentials.password = "pwd2";
  TopologyStore store(target);
  store.WaitUntilReady();
  EXPECT_TRUE(store.Answers());
}

TEST(RedisSentinelTest, AReplicaIsNeverUsed) {
  RedisProcess master({.tcp = true});
  RedisProcess redis({.tcp = true});
  TopologyStore store("redis://" + redis.address());
  store.WaitUntilReady();
  EXPECT_EQ(store.Take("a", 9)->remaining, 8);

  const auto peek = [&] {
    return TakeAndWait(store.store(),
                       {{.key = "a",
                         .policy = {.limit = 9, .window = absl::Hours(1)},
                         .kind = ChargeKind::kPeek}},
                       Accounting::kAllOrNothing, absl::InfiniteFuture());
  };
  redis.Command({"REPLICAOF", "127.0.0.1", std::to_string(master.port())});
  // The store does not even peek there, although the replica would answer.
  WaitUntil("the store to leave", [&] { return !store.ready(); });
  EXPECT_TRUE(absl::IsUnavailable(peek().status()));

  redis.Command({"REPLICAOF", "NO", "ONE"});
  store.WaitUntilReady();
  EXPECT_TRUE(peek().ok());
}

}  // namespace
}  // namespace rls
