// Hash slots that move from one master to another while their counters are
// used. Each counter keeps its state, and each charge is counted exactly once.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "support/redis_cluster.h"
#include "support/wait_until.h"
#include "unit/store/redis/topology.h"

namespace rls {
namespace {

// Two keys in one hash slot.
std::vector<std::string> PairOfOneSlot(RedisCluster& cluster) {
  std::map<int, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string key = "pair" + std::to_string(i);
    const auto [it, added] = seen.try_emplace(SlotOfCounter(cluster, key), key);
    if (!added) return {it->second, key};
  }
}

std::vector<Policy> AllKindsOfPolicies() {
  std::vector<Policy> policies(4, PerHour(100));
  policies[1].algorithm = Algorithm::kSlidingWindow;
  policies[2].algorithm = Algorithm::kTokenBucket;
  policies[2].burst = 99;
  policies[3].burst = 50;  // earned
  return policies;
}

class RedisClusterMoveTest : public ::testing::Test {
 protected:
  RedisClusterMoveTest() { store_.WaitUntilReady(); }

  size_t MasterOf(const std::string& key) {
    return cluster_.MasterOf(SlotOfCounter(cluster_, key));
  }
  size_t OtherMaster(const std::string& key) {
    return (MasterOf(key) + 1) % cluster_.size();
  }
  int64_t Redirections(const std::string& code) {
    int64_t sum = 0;
    for (size_t i = 0; i < cluster_.size(); ++i) {
      const std::string info =
          cluster_.node(i).Command({"INFO", "errorstats"}).text;
      const std::string name = "errorstat_" + code + ":count=";
      const size_t found = info.find(name);
      if (found != std::string::npos) {
        sum += std::atoll(info.c_str() + found + name.size());
      }
    }
    return sum;
  }
  void ExpectTaken(const TestCharge& charge, int64_t taken) {
    const auto outcomes = store_.Take({charge});
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    EXPECT_EQ((*outcomes)[0].remaining, charge.policy.limit - taken);
  }

  RedisCluster cluster_;
  TopologyStore store_{TargetOf(UrlOf(cluster_)), {.threads = 2}};
};

TEST_F(RedisClusterMoveTest, ACounterKeepsItsStateWhenItsSlotMoves) {
  for (const Policy& policy : AllKindsOfPolicies()) {
    const std::string name =
        absl::StrCat(policy.burst, AlgorithmWord(policy.algorithm));
    const TestCharge charge{.key = name, .policy = policy};
    const int slot = SlotOfCounter(cluster_, name);
    const size_t from = MasterOf(name);
    const size_t to = OtherMaster(name);
    ExpectTaken(charge, 1);
    cluster_.BeginMove(slot, from, to);
    ExpectTaken(charge, 2);  // at the old master
    EXPECT_TRUE(cluster_.MoveKey(slot, from, to));
    ExpectTaken(charge, 3);  // ASK
    ExpectTaken(charge, 4);
    cluster_.EndMove(slot, to);
    ExpectTaken(charge, 5);  // MOVED
    ExpectTaken(charge, 6);
    cluster_.Move(slot, to, from);
    ExpectTaken(charge, 7);
  }
  EXPECT_GT(Redirections("ASK"), 0);
  EXPECT_GT(Redirections("MOVED"), 0);
}

TEST_F(RedisClusterMoveTest, ANewCounterOfAMovingSlotIsMadeAtTheNewMaster) {
  const TestCharge charge{.key = "new", .policy = PerHour(100)};
  const int slot = SlotOfCounter(cluster_, charge.key);
  const size_t to = OtherMaster(charge.key);
  cluster_.BeginMove(slot, MasterOf(charge.key), to);
  ExpectTaken(charge, 1);
  EXPECT_EQ(cluster_.node(to).Command({"DBSIZE"}).integer, 1);
  cluster_.EndMove(slot, to);
  ExpectTaken(charge, 2);
}

// TRYAGAIN: no script call can reach two counters if one of them has already
// moved, or does not exist yet.
TEST_F(RedisClusterMoveTest, CountersOnBothSidesAreTakenTogether) {
  const std::vector<std::string> pair = PairOfOneSlot(cluster_);
  const int slot = SlotOfCounter(cluster_, pair[0]);
  const size_t from = MasterOf(pair[0]);
  const size_t to = OtherMaster(pair[0]);
  const std::string far = KeysOf(cluster_, to, 1)[0];
  const TestCharge scarce{.key = pair[0], .policy = PerHour(5)};
  const TestCharge plenty{.key = pair[1], .policy = PerHour(1'000)};
  const TestCharge other{.key = far, .policy = PerHour(1'000)};
  EXPECT_TRUE(store_.Take(pair[0], 5).ok());
  cluster_.BeginMove(slot, from, to);
  const auto expect = [&](const std::vector<TestCharge>& charges,
                          bool allowed) {
    const auto outcomes = store_.Take(charges);
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    EXPECT_EQ((*outcomes)[0].allowed, allowed);
  };
  expect({scarce, plenty}, true);         // the second does not exist yet
  expect({scarce, plenty, other}, true);  // a sub-take on both masters
  while (cluster_.MoveKey(slot, from, to)) {
  }
  expect({scarce, plenty}, true);
  expect({scarce, other, plenty}, true);
  expect({scarce, plenty}, false);
  expect({scarce, other, plenty}, false);
  cluster_.EndMove(slot, to);
  expect({scarce, plenty}, false);
  EXPECT_EQ(store_.Used(pair[0], 5), 5);
  EXPECT_EQ(store_.Used(pair[1]), 4);
  EXPECT_EQ(store_.Used(far), 2);
  EXPECT_GT(Redirections("TRYAGAIN"), 0);
}

// Threads that repeat the given takes as fast as possible.
class Load {
 public:
  Load(TopologyStore& store, std::vector<std::vector<TestCharge>> takes)
      : store_(store), takes_(std::move(takes)) {
    for (const std::vector<TestCharge>& take : takes_) {
      for (const TestCharge& charge : take) admitted_[charge.key] = 0;
    }
    for (unsigned i = 0; i < threads_.size(); ++i) {
      threads_[i] = std::thread([this, i] { Run(i); });
    }
  }
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void Stop() {
    stopped_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  void WaitForMore(int64_t takes) {
    const int64_t enough = done_ + takes;
    WaitUntil("more takes", [&] { return done_ >= enough; });
  }
  int64_t failures() const { return failures_; }
  // The number of admitted charges of each counter.
  const std::map<std::string, std::atomic<int64_t>>& admitted() const {
    return admitted_;
  }

 private:
  void Run(unsigned seed) {
    std::mt19937 random(seed);
    while (!stopped_) {
      const std::vector<TestCharge>& take = takes_[random() % takes_.size()];
      const auto outcomes = store_.Take(take);
      ++done_;
      if (!outcomes.ok()) {
        if (failures_++ == 0) ADD_FAILURE() << outcomes.status();
      } else if (std::all_of(
                     outcomes->begin(), outcomes->end(),
                     [](const Outcome& outcome) { return outcome.allowed; })) {
        for (const TestCharge& charge : take) ++admitted_[charge.key];
      }
    }
  }

  TopologyStore& store_;
  const std::vector<std::vector<TestCharge>> takes_;
  std::map<std::string, std::atomic<int64_t>> admitted_;
  std::atomic<bool> stopped_{false};
  std::atomic<int64_t> done_{0};
  std::atomic<int64_t> failures_{0};
  std::array<std::thread, 4> threads_;
};

TEST_F(RedisClusterMoveTest, MovesUnderLoadAreCountedExactly) {
  constexpr int64_t kScarce = 500;
  const std::vector<std::string> pair = PairOfOneSlot(cluster_);
  const std::string third = KeysOf(cluster_, OtherMaster(pair[0]), 1)[0];
  const std::string fixed = KeysOf(cluster_, MasterOf(pair[0]), 1)[0];
  const TestCharge a{.key = pair[0], .policy = PerHour(kScarce)};
  const TestCharge b{.key = pair[1], .policy = PerHour(kMaxAmount / 2)};
  const TestCharge c{.key = third, .policy = PerHour(kMaxAmount / 2)};
  const TestCharge d{.key = fixed, .policy = PerHour(kMaxAmount / 2)};
  Load load(store_, {{a}, {b}, {c}, {a, b}, {c, a}, {b, c}, {d, c, b}});

  const std::array<int, 2> slots = {SlotOfCounter(cluster_, pair[0]),
                                    SlotOfCounter(cluster_, third)};
  std::array<size_t, 2> masters = {MasterOf(pair[0]), MasterOf(third)};
  for (int round = 0; round < 12; ++round) {
    const int moved = round % 2;
    const size_t from = masters[moved];
    const size_t to = (from + 1) % cluster_.size();
    cluster_.BeginMove(slots[moved], from, to);
    load.WaitForMore(100);
    while (cluster_.MoveKey(slots[moved], from, to)) load.WaitForMore(100);
    cluster_.EndMove(slots[moved], to);
    load.WaitForMore(100);
    masters[moved] = to;
  }
  load.Stop();

  EXPECT_EQ(load.failures(), 0);
  for (const auto& [key, admitted] : load.admitted()) {
    EXPECT_EQ(store_.Used(key, key == pair[0] ? kScarce : kMaxAmount / 2),
              admitted)
        << key;
  }
  EXPECT_EQ(load.admitted().at(pair[0]), kScarce);
  EXPECT_GT(Redirections("ASK"), 0);
  EXPECT_GT(Redirections("MOVED"), 0);
  EXPECT_GT(Redirections("TRYAGAIN"), 0);
}

}  // namespace
}  // namespace rls
