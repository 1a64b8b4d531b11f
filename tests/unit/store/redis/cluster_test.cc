// The store with a real Redis Cluster: each counter is on the current master of
// its hash slot, and a failing node affects only its own counters.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "support/redis_cluster.h"
#include "support/wait_until.h"
#include "unit/store/redis/redis_fixture.h"
#include "unit/store/redis/topology.h"

namespace rls {
namespace {

std::string KeyOf(RedisCluster& cluster, size_t master) {
  return KeysOf(cluster, master, 1)[0];
}

bool Unavailable(const absl::StatusOr<Outcome>& outcome) {
  return absl::IsUnavailable(outcome.status());
}

TEST(RedisClusterTest, CountersAreSpreadOverAllMasters) {
  RedisCluster cluster;
  TopologyStore store(UrlOf(cluster));
  store.WaitUntilReady();
  for (int64_t taken = 1; taken <= 3; ++taken) {
    for (int key = 0; key < 50; ++key) {
      const auto outcome = store.Take(absl::StrCat(key), 9);
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      EXPECT_EQ(outcome->remaining, 9 - taken);
    }
  }
  int64_t counters = 0;
  for (size_t i = 0; i < cluster.size(); ++i) {
    EXPECT_GT(ScriptCalls(cluster.node(i)), 0);
    counters += cluster.node(i).Command({"DBSIZE"}).integer;
  }
  EXPECT_EQ(counters, 50);
}

TEST(RedisClusterTest, OneLivingNodeIsEnoughToFindAllNodes) {
  RedisCluster cluster;
  RedisProcess dead({.tcp = true});
  RedisProcess hangs({.tcp = true});
  const std::string hosts = absl::StrCat(dead.address(), ",", hangs.address(),
                                         ",", cluster.node(1).address());
  dead.Kill();
  hangs.Stop();
  TopologyStore store("redis+cluster://" + hosts);
  store.WaitUntilReady();
  for (size_t i = 0; i < cluster.size(); ++i) {
    EXPECT_TRUE(store.Take(KeyOf(cluster, i), 9).ok());
  }
}

TEST(RedisClusterTest, ThePasswordIsUsedForAllNodes) {
  RedisCluster cluster({.password = "pwd"});
  TopologyStore stranger("redis+cluster://:other@" + cluster.hosts());
  TopologyStore store("redis+cluster://:pwd@" + cluster.hosts());
  store.WaitUntilReady();
  for (size_t i = 0; i < cluster.size(); ++i) {
    EXPECT_TRUE(store.Take(KeyOf(cluster, i), 9).ok());
  }
  EXPECT_TRUE(Unavailable(stranger.Take("a", 9)));
  EXPECT_FALSE(stranger.ready());
}

TEST(RedisClusterTest, ADeniedTakeGivesBackItsOtherSubTakes) {
  RedisCluster cluster;
  TopologyStore store(UrlOf(cluster));
  store.WaitUntilReady();
  for (size_t scarce = 0; scarce < cluster.size(); ++scarce) {
    std::vector<TestCharge> charges;
    for (size_t i = 0; i < cluster.size(); ++i) {
      charges.push_back({.key = absl::StrCat(scarce, KeyOf(cluster, i)),
                         .policy = PerHour(i == scarce ? 3 : 100)});
    }
    for (int i = 0; i < 10; ++i) {
      const auto outcomes = store.Take(charges);
      ASSERT_TRUE(outcomes.ok()) << outcomes.status();
      EXPECT_EQ((*outcomes)[scarce].allowed, i < 3);
      for (const TestCharge& charge : charges) {
        EXPECT_EQ(store.Used(charge.key), std::min(i + 1, 3));
      }
    }
  }
}

TEST(RedisClusterTest, ALostMasterFailsOnlyItsSlots) {
  RedisCluster cluster;
  TopologyStore store(UrlOf(cluster));
  store.WaitUntilReady();
  const std::string lost = KeyOf(cluster, 0);
  const std::string kept = KeyOf(cluster, 1);
  const TestCharge both[] = {{.key = kept, .policy = PerHour(9'000)},
                             {.key = lost, .policy = PerHour(9'000)}};
  EXPECT_TRUE(store.Take({both[0], both[1]}).ok());

  cluster.node(0).Kill();
  WaitUntil("the loss to be known",
            [&] { return Unavailable(store.Take(lost, 9'000)); });
  for (int64_t taken = 2; taken < 200; ++taken) {
    const auto outcome = store.Take(kept, 9'000);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->remaining, 9'000 - taken);
    EXPECT_TRUE(Unavailable(store.Take(lost, 9'000)));
    // The charge of the other counter is given back, in either order.
    EXPECT_TRUE(absl::IsUnavailable(store.Take({both[0], both[1]}).status()));
    EXPECT_TRUE(absl::IsUnavailable(store.Take({both[1], both[0]}).status()));
  }
  EXPECT_TRUE(store.ready());
  TopologyStore late(UrlOf(cluster));
  late.WaitUntilReady();
  EXPECT_TRUE(late.Take(kept, 9'000).ok());
  EXPECT_TRUE(Unavailable(late.Take(lost, 9'000)));

  cluster.node(0).Start();
  WaitUntil("the lost master to be back",
            [&] { return store.Take(lost, 9'000).ok(); });
  EXPECT_TRUE(store.Take({both[0], both[1]}).ok());
}

TEST(RedisClusterTest, AHangingMasterDoesNotDelayOtherMasters) {
  RedisCluster cluster({.arguments = {"--cluster-node-timeout", "60000"}});
  TopologyStore store(TargetOf(UrlOf(cluster)),
                      {.command_timeout = absl::Milliseconds(200)});
  store.WaitUntilReady();
  const std::string hangs = KeyOf(cluster, 0);
  const std::string other = KeyOf(cluster, 1);
  cluster.node(0).Stop();
  EXPECT_TRUE(Unavailable(store.Take(hangs, 9)));
  // From now on the store fails its takes immediately.
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Unavailable(store.Take(hangs, 9)));
    EXPECT_TRUE(store.Take(other, 9'000).ok());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  cluster.node(0).Continue();
  WaitUntil("the hanging master to answer",
            [&] { return store.Take(hangs, 9'000).ok(); });
}

TEST(RedisClusterTest, APromotedReplicaIsUsed) {
  RedisCluster cluster({.replicas = true});
  TopologyStore store(UrlOf(cluster));
  store.WaitUntilReady();
  const std::string lost = KeyOf(cluster, 0);
  const std::string kept = KeyOf(cluster, 1);
  RedisProcess& replica = cluster.node(3);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(store.Take(lost, 1'000).ok());
  const int64_t written = cluster.node(0).Command({"ROLE"}).elements[1].integer;
  WaitUntil("a replica that has all data", [&] {
    return replica.Command({"ROLE"}).elements[4].integer >= written;
  });
  EXPECT_EQ(ScriptCalls(replica), 0);

  cluster.node(0).Kill();
  WaitUntil("answers of the new master", [&] {
    EXPECT_TRUE(store.Take(kept, kMaxAmount).ok());
    return store.Take(lost, 1'000).ok();
  });
  EXPECT_GT(ScriptCalls(replica), 0);
  EXPECT_EQ(store.Used(lost), 21);

  // The old master comes back as a replica.
  cluster.node(0).Start();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(store.Take(lost, 1'000).ok());
  EXPECT_EQ(ScriptCalls(cluster.node(0)), 0);
}

TEST(RedisClusterTest, AMasterThatStepsDownIsNotUsed) {
  RedisCluster cluster({.replicas = true});
  TopologyStore store(UrlOf(cluster));
  store.WaitUntilReady();
  const std::string key = KeyOf(cluster, 0);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(store.Take(key, 1'000).ok());
  // The failover waits until the replica has all data, so nothing is lost.
  EXPECT_TRUE(cluster.node(3).Command({"CLUSTER", "FAILOVER"}).ok());
  int64_t allowed = 20;
  WaitUntil("answers of the new master", [&] {
    allowed += store.Take(key, 1'000).ok() ? 1 : 0;
    return ScriptCalls(cluster.node(3)) > 0;
  });
  EXPECT_EQ(store.Used(key), allowed);
}

TEST(RedisClusterTest, AClusterThatWasDownIsUsedAgain) {
  RedisCluster cluster(
      {.arguments = {"--cluster-require-full-coverage", "yes"}});
  TopologyStore store(UrlOf(cluster));
  store.WaitUntilReady();
  const std::string lost = KeyOf(cluster, 0);
  const std::string kept = KeyOf(cluster, 1);
  EXPECT_TRUE(store.Take(kept, 9'000).ok());
  cluster.node(0).Kill();
  // CLUSTERDOWN: the other masters stop serving too.
  WaitUntil("a cluster that is down",
            [&] { return Unavailable(store.Take(kept, 9'000)); });
  EXPECT_TRUE(Unavailable(store.Take(lost, 9'000)));
  cluster.node(0).Start();
  WaitUntil("a cluster that is up", [&] {
    return store.Take(kept, 9'000).ok() && store.Take(lost, 9'000).ok();
  });
}

TEST(RedisClusterTest, TheFirstAttemptEndsWithAndWithoutACluster) {
  FakeClock clock;
  RedisCluster cluster({.clock = &clock});
  const RedisTarget target = TargetOf(UrlOf(cluster));
  const auto store = NewTestRedisStore(target, clock, {});
  WaitUntil("an attempt", [&] { return store->attempted(); });
  EXPECT_TRUE(store->ready());
  for (size_t i = 0; i < cluster.size(); ++i) cluster.node(i).Kill();
  const auto other = NewTestRedisStore(target, clock, {});
  WaitUntil("an attempt", [&] { return other->attempted(); });
  EXPECT_FALSE(other->ready());
}

TEST(RedisClusterTest, ARememberedRefusalEndsSoon) {
  FakeClock clock;
  RedisCluster cluster({.clock = &clock});
  const RedisTarget target = TargetOf(UrlOf(cluster));
  const auto store = NewReadyRedisStore(target, clock, {});
  const auto other = NewReadyRedisStore(target, clock, {});
  const TestCharge charge{.key = "a", .policy = PerHour(1)};
  const auto allowed = [&] {
    const auto outcomes = TakeAndWait(
        *store, {charge}, Accounting::kAllOrNothing, absl::InfiniteFuture());
    return outcomes.ok() && (*outcomes)[0].allowed;
  };
  EXPECT_TRUE(allowed());
  EXPECT_FALSE(allowed());
  // A split take of another store does this when it is refused.
  TestCharge back = charge;
  back.cost = -1;
  EXPECT_TRUE(TakeAndWait(*other, {back}, Accounting::kAllOrNothing,
                          absl::InfiniteFuture())
                  .ok());
  EXPECT_FALSE(allowed());
  clock.Advance(absl::Milliseconds(101));
  EXPECT_TRUE(allowed());
}

}  // namespace
}  // namespace rls
