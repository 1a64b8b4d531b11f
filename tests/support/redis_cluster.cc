#include "support/redis_cluster.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/wait_until.h"

namespace rls {
namespace {

constexpr size_t kSlots = 16384;

// The time after which a silent node counts as failed. With a clock that jumps
// no node may fail.
const char* NodeTimeoutMs(const FakeClock* clock) {
  return clock == nullptr ? "500" : "10000000000000";
}

// "" if the node and the cluster are healthy, else the node's information.
std::string Unhealthy(const RedisProcess& node) {
  const std::string info = node.Command({"CLUSTER", "INFO"}).text;
  std::string nodes = node.Command({"CLUSTER", "NODES"}).text;
  const bool healthy = info.find("cluster_state:ok\r\n") != std::string::npos &&
                       nodes.find("disconnected") == std::string::npos;
  return healthy ? "" : info + nodes;
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
  WaitUntilHealthy();
  WaitForReplicas();
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

// Writes all nodes into each node's configuration, which is much faster than
// CLUSTER MEET.
void RedisCluster::Introduce() {
  for (size_t i = 0; i < nodes_.size(); ++i) ids_.push_back(IdOf(i));
  for (const auto& node : nodes_) node->Kill();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    std::ofstream file(nodes_[i]->folder() + "/nodes.conf");
    for (size_t j = 0; j < nodes_.size(); ++j) file << Line(j, i == j) << "\n";
    file << "vars currentEpoch " << nodes_.size() << " lastVoteEpoch 0\n";
  }
  for (const auto& node : nodes_) node->Start();
}

std::string RedisCluster::Line(size_t number, bool itself) const {
  const RedisProcess& node = *nodes_[number];
  const size_t masters = options_.masters;
  const bool is_master = number < masters;
  // Rounds up because MasterOf() rounds down.
  const auto first = [&](size_t master) {
    return (master * kSlots + masters - 1) / masters;
  };
  std::ostringstream line;
  line << ids_[number] << " "
       << (options_.tls_folder.empty() ? node.address() : node.tls_address())
       << "@" << node.cluster_port() << (itself ? " myself," : " ")
       << (is_master ? "master -" : "slave " + ids_[number - masters])
       << " 0 0 " << number + 1 << " connected";
  if (is_master) line << " " << first(number) << "-" << first(number + 1) - 1;
  return line.str();
}

void RedisCluster::WaitUntilHealthy() {
  for (const auto& node : nodes_) {
    std::string info;
    WaitUntil("a healthy cluster", [&] {
      // A node serves nothing in the first two seconds of its clock.
      if (options_.clock != nullptr) options_.clock->Advance(absl::Seconds(1));
      info = Unhealthy(*node);
      return info.empty();
    });
    EXPECT_EQ(info, "");
  }
}

void RedisCluster::WaitForReplicas() {
  for (size_t i = options_.masters; i < nodes_.size(); ++i) {
    WaitUntil("a replica that follows", [&] {
      const RedisReply role = nodes_[i]->Command({"ROLE"});
      return role.elements.size() == 5 && role.elements[3].text == "connected";
    });
  }
}

std::string RedisCluster::IdOf(size_t number) const {
  return nodes_[number]->Command({"CLUSTER", "MYID"}).text;
}

void RedisCluster::BeginMove(int slot, size_t from, size_t to) {
  const std::string number = std::to_string(slot);
  Expect(nodes_[to]->Command(
      {"CLUSTER", "SETSLOT", number, "IMPORTING", ids_[from]}));
  Expect(nodes_[from]->Command(
      {"CLUSTER", "SETSLOT", number, "MIGRATING", ids_[to]}));
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
  // The new master is first, so that the slot always has a master.
  const std::string id = ids_[to];
  Expect(nodes_[to]->Command(
      {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id}));
  for (size_t i = 0; i < options_.masters; ++i) {
    if (i == to) continue;
    Expect(nodes_[i]->Command(
        {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id}));
  }
  // A node that has not received the new epoch would still believe an old
  // message of the old master, and would give the slot back to it.
  for (size_t i = 0; i < options_.masters; ++i) {
    WaitUntil("a move that all nodes know",
              [&] { return ClaimOf(to, i) == ClaimOf(to, to); });
  }
}

// The epoch and slots of a node as another node sees them.
std::string RedisCluster::ClaimOf(size_t number, size_t seen_by) const {
  constexpr int kFieldsBefore = 6;
  std::istringstream nodes(nodes_[seen_by]->Command({"CLUSTER", "NODES"}).text);
  std::string line;
  while (std::getline(nodes, line)) {
    if (line.compare(0, ids_[number].size(), ids_[number]) != 0) continue;
    std::istringstream fields(line);
    std::string field, claim;
    for (int i = 0; fields >> field; ++i) {
      // Only the node itself lists the slots that are moving.
      if (i >= kFieldsBefore && field[0] != '[') claim += field + " ";
    }
    return claim;
  }
  return "";
}

void RedisCluster::Move(int slot, size_t from, size_t to) {
  BeginMove(slot, from, to);
  while (MoveKey(slot, from, to)) {
  }
  EndMove(slot, to);
}

}  // namespace rls
