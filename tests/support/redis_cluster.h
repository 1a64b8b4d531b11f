#ifndef RLS_TESTS_SUPPORT_REDIS_CLUSTER_H_
#define RLS_TESTS_SUPPORT_REDIS_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "fake_clock.h"
#include "support/redis_process.h"

namespace rls {

struct RedisClusterOptions {
  // The wall clock of the nodes; null: the system clock. With a fake clock no
  // node ever counts as failed.
  FakeClock* clock = nullptr;
  size_t masters = 3;
  bool replicas = false;               // one for each master
  std::string password;                // of all nodes
  std::string tls_folder;              // see RedisProcessOptions
  std::vector<std::string> arguments;  // override the arguments of each node
};

// A Redis Cluster whose masters have equal numbers of hash slots. The cluster
// is healthy when the constructor returns. A lost master fails only its own
// slots.
//
// Failure: see RedisProcess.
class RedisCluster {
 public:
  explicit RedisCluster(const RedisClusterOptions& options = {});
  RedisCluster(const RedisCluster&) = delete;
  RedisCluster& operator=(const RedisCluster&) = delete;

  // The masters, then the replicas in the order of their masters.
  RedisProcess& node(size_t number) { return *nodes_[number]; }
  size_t size() const { return nodes_.size(); }

  // The addresses of all nodes, as in a URL.
  std::string hosts() const;
  std::string tls_hosts() const;

  // The master that had the slot at the start.
  size_t MasterOf(int slot) const;

  // Move() moves a slot and its keys as redis-cli does: BeginMove(), MoveKey()
  // until it returns false because no key is left, EndMove().
  void BeginMove(int slot, size_t from, size_t to);
  bool MoveKey(int slot, size_t from, size_t to);
  void EndMove(int slot, size_t to);
  void Move(int slot, size_t from, size_t to);

 private:
  void Introduce();
  std::string Line(size_t number, bool itself) const;  // in nodes.conf
  void WaitUntilHealthy();
  void WaitForReplicas();
  std::string IdOf(size_t number) const;
  std::string ClaimOf(size_t number, size_t seen_by) const;

  const RedisClusterOptions options_;
  std::vector<std::unique_ptr<RedisProcess>> nodes_;
  std::vector<std::string> ids_;
};

// The hash slot of a key, computed by Redis.
int SlotOf(const RedisProcess& node, const std::string& key);

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_REDIS_CLUSTER_H_
