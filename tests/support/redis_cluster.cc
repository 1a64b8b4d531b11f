#include "support/redis_cluster.h"

#include <gtest/gtest.h>

#include "support/wait_until.h"

namespace rls {
namespace {

constexpr size_t kSlots = 16384;

// How soon a node is missed; with a clock that jumps, never.
const char* NodeTimeoutMs(const FakeClock* clock) {
  return clock == nullptr ? "500" : "10000000000000";
}

std::string Well(const RedisProcess& node, size_t nodes) {
  const std::string info = node.Command({"CLUSTER", "INFO"}).text;
  for (const std::string& sign :
       {std::string("cluster_state:ok"),
        "cluster_slots_assigned:" + std::to_string(kSlots),
        "cluster_known_nodes:" + std::to_string(nodes)}) {
    if (info.find(sign + "\r\n") == std::string::npos) return info;
  }
  return "";
}

void Expect(const RedisReply& reply) { EXPECT_TRUE(reply.ok()) << reply.text; }

}  // namespace

int SlotOf(const RedisProcess& node, const std::string& key) {
  return static_cast<int>(node.Command({"CLUSTER", "KEYSLOT", key}).integer);
}

RedisCluster::RedisCluster(const RedisClusterOptions& options)
    : options_(options) {
  RedisProcessOptions node{
      .clock = options_.clock,
      .tcp = true,
      .cluster = true,
      .tls_folder = options_.tls_folder,
      .password = options_.password,
      .arguments = {"--cluster-node-timeout", NodeTimeoutMs(options_.clock),
                    "--cluster-require-full-coverage", "no",
                    "--repl-diskless-sync-delay", "0", "--masterauth",
                    options_.password}};
  node.arguments.insert(node.arguments.end(), options_.arguments.begin(),
                        options_.arguments.end());
  const size_t replicas = options_.replicas ? options_.masters : 0;
  for (size_t i = 0; i < options_.masters + replicas; ++i) {
    nodes_.push_back(std::make_unique<RedisProcess>(node));
  }
  const absl::Time start =
      options_.clock == nullptr ? absl::Time() : options_.clock->Now();
  Introduce();
  WaitUntilWell();
  if (options_.replicas) AddReplicas();
  if (options_.clock != nullptr) options_.clock->Set(start);
}

std::string RedisCluster::hosts() const {
  std::string hosts;
  for (const auto& node : nodes_) {
    hosts += (hosts.empty() ? "" : ",") + node->address();
  }
  return hosts;
}

std::string RedisCluster::tls_hosts() const {
  std::string hosts;
  for (const auto& node : nodes_) {
    hosts += (hosts.empty() ? "" : ",") + node->tls_address();
  }
  return hosts;
}

size_t RedisCluster::MasterOf(int slot) const {
  return static_cast<size_t>(slot) * options_.masters / kSlots;
}

void RedisCluster::Introduce() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Expect(nodes_[i]->Command(
        {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}));
  }
  for (size_t i = 0; i < options_.masters; ++i) {
    // Rounded up, as MasterOf() rounds down.
    const auto first = [&](size_t master) {
      return (master * kSlots + options_.masters - 1) / options_.masters;
    };
    Expect(nodes_[i]->Command({"CLUSTER", "ADDSLOTSRANGE",
                               std::to_string(first(i)),
                               std::to_string(first(i + 1) - 1)}));
  }
  // Each with each: to wait for the gossip of others takes seconds.
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (size_t j = i + 1; j < nodes_.size(); ++j) {
      const RedisProcess& other = *nodes_[j];
      const int port =
          options_.tls_folder.empty() ? other.port() : other.tls_port();
      Expect(nodes_[i]->Command({"CLUSTER", "MEET", "127.0.0.1",
                                 std::to_string(port),
                                 std::to_string(other.cluster_port())}));
    }
  }
}

void RedisCluster::WaitUntilWell() {
  for (const auto& node : nodes_) {
    std::string info;
    WaitUntil("a cluster that is well", [&] {
      // A node serves nothing in the first two seconds of its clock.
      if (options_.clock != nullptr) options_.clock->Advance(absl::Seconds(1));
      info = Well(*node, nodes_.size());
      return info.empty();
    });
    EXPECT_EQ(info, "");
  }
}

void RedisCluster::AddReplicas() {
  const size_t first = options_.masters;
  for (size_t i = 0; i < options_.masters; ++i) {
    const RedisProcess& replica = *nodes_[first + i];
    Expect(replica.Command({"CLUSTER", "REPLICATE", IdOf(i)}));
    WaitUntil("a replica that follows", [&] {
      const RedisReply role = replica.Command({"ROLE"});
      return role.elements.size() == 5 && role.elements[3].text == "connected";
    });
  }
  // All masters vote, so all must know whose replica asks them to.
  for (const auto& node : nodes_) {
    WaitUntil("replicas that are known", [&] {
      size_t known = 0;
      const std::string list = node->Command({"CLUSTER", "NODES"}).text;
      for (size_t at = list.find("slave "); at != std::string::npos;
           at = list.find("slave ", at + 1)) {
        ++known;
      }
      return known == options_.masters;
    });
  }
}

std::string RedisCluster::IdOf(size_t number) const {
  return nodes_[number]->Command({"CLUSTER", "MYID"}).text;
}

void RedisCluster::BeginMove(int slot, size_t from, size_t to) {
  const std::string number = std::to_string(slot);
  Expect(nodes_[to]->Command(
      {"CLUSTER", "SETSLOT", number, "IMPORTING", IdOf(from)}));
  Expect(nodes_[from]->Command(
      {"CLUSTER", "SETSLOT", number, "MIGRATING", IdOf(to)}));
}

bool RedisCluster::MoveKey(int slot, size_t from, size_t to) {
  const RedisReply keys = nodes_[from]->Command(
      {"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "1"});
  if (keys.elements.empty()) return false;
  Expect(nodes_[from]->Command({"MIGRATE", "127.0.0.1",
                                std::to_string(nodes_[to]->port()),
                                keys.elements[0].text, "0", "30000"}));
  return true;
}

void RedisCluster::EndMove(int slot, size_t to) {
  // Who takes it first, so that it is never nobody's.
  const std::string id = IdOf(to);
  Expect(nodes_[to]->Command(
      {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id}));
  for (size_t i = 0; i < options_.masters; ++i) {
    if (i == to) continue;
    Expect(nodes_[i]->Command(
        {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id}));
  }
}

void RedisCluster::Move(int slot, size_t from, size_t to) {
  BeginMove(slot, from, to);
  while (MoveKey(slot, from, to)) {
  }
  EndMove(slot, to);
}

}  // namespace rls
