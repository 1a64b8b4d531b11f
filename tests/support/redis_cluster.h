#ifndef RLS_TESTS_SUPPORT_REDIS_CLUSTER_H_
#define RLS_TESTS_SUPPORT_REDIS_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "fake_clock.h"
#include "support/redis_process.h"

namespace rls {

struct RedisClusterOptions {
  // The wall clock that its nodes see; the machine's when null. With one that
  // is turned by hand no node is ever missed.
  FakeClock* clock = nullptr;
  size_t masters = 3;
  bool replicas = false;               // one for each of the masters
  std::string password;                // asked for by all
  std::string tls_folder;              // as of RedisProcess
  std::vector<std::string> arguments;  // of each node; they win
};

// A cluster whose masters share the slots evenly, and which is well when the
// constructor returns. A lost master fails its own slots only.
//
// Failure: as of RedisProcess.
class RedisCluster {
 public:
  explicit RedisCluster(const RedisClusterOptions& options = {});
  RedisCluster(const RedisCluster&) = delete;
  RedisCluster& operator=(const RedisCluster&) = delete;

  // The masters, then the replicas in the order of their masters.
  RedisProcess& node(size_t number) { return *nodes_[number]; }
  size_t size() const { return nodes_.size(); }

  // Of all nodes, as in a URL.
  std::string hosts() const;
  std::string tls_hosts() const;

  // Which of the masters had the slot at first.
  size_t MasterOf(int slot) const;

  // Moves a slot and its keys as redis-cli does: Begin, Key as often as there
  // is one (else it is false), End.
  void BeginMove(int slot, size_t from, size_t to);
  bool MoveKey(int slot, size_t from, size_t to);
  void EndMove(int slot, size_t to);
  void Move(int slot, size_t from, size_t to);

 private:
  void Introduce();
  std::string Line(size_t number, bool itself) const;  // of nodes.conf
  void WaitUntilWell();
  void WaitForReplicas();
  std::string IdOf(size_t number) const;
  std::string ClaimOf(size_t number, size_t seen_by) const;

  const RedisClusterOptions options_;
  std::vector<std::unique_ptr<RedisProcess>> nodes_;
  std::vector<std::string> ids_;
};

// The slot of a key, as Redis has it.
int SlotOf(const RedisProcess& node, const std::string& key);

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_REDIS_CLUSTER_H_
