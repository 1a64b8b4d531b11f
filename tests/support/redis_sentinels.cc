#include "support/redis_sentinels.h"

#include <utility>

#include "support/wait_until.h"

namespace rls {
namespace {

std::string Field(const RedisReply& reply, const std::string& name) {
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    if (reply.elements[i].text == name) return reply.elements[i + 1].text;
  }
  return "";
}

// A master that starts to send data to a replica without delay.
std::vector<std::string> ServerArguments(const std::string& password) {
  return {"--repl-diskless-sync-delay", "0", "--masterauth", password};
}

}  // namespace

std::string RoleOf(const RedisProcess& redis) {
  const RedisReply role = redis.Command({"ROLE"});
  return role.elements.empty() ? "" : role.elements[0].text;
}

RedisSentinels::RedisSentinels(RedisSentinelsOptions options)
    : options_(std::move(options)) {
  const RedisProcessOptions server{
      .tcp = true,
      .password = options_.password,
      .arguments = ServerArguments(options_.password)};
  master_ = std::make_unique<RedisProcess>(server);
  replica_ = std::make_unique<RedisProcess>(server);
  replica_->Command(
      {"REPLICAOF", "127.0.0.1", std::to_string(master_->port())});
  WaitUntil("a replica that follows", [this] {
    const RedisReply role = replica_->Command({"ROLE"});
    return role.elements.size() == 5 && role.elements[3].text == "connected";
  });
  for (int i = 0; i < options_.sentinels; ++i) AddSentinel();
  for (const auto& sentinel : sentinels_) {
    WaitUntil("sentinels that know each other",
              [&] { return Ready(*sentinel); });
  }
}

void RedisSentinels::FailOver() {
  // The sentinel refuses until it has recent information about the replica.
  WaitUntil("a sentinel that begins a failover", [this] {
    return sentinels_[0]->Command({"SENTINEL", "FAILOVER", "m"}).ok();
  });
  WaitUntil("a replica that has become a master",
            [this] { return RoleOf(*replica_) == "master"; });
}

std::string RedisSentinels::hosts() const {
  std::string hosts;
  for (const auto& sentinel : sentinels_) {
    hosts += (hosts.empty() ? "" : ",") + sentinel->address();
  }
  return hosts;
}

void RedisSentinels::AddSentinel() {
  sentinels_.push_back(std::make_unique<RedisProcess>(RedisProcessOptions{
      .tcp = true, .sentinel = true, .password = options_.sentinel_password}));
  const RedisProcess& sentinel = *sentinels_.back();
  const std::string quorum = std::to_string(options_.sentinels / 2 + 1);
  sentinel.Command({"SENTINEL", "MONITOR", "m", "127.0.0.1",
                    std::to_string(master_->port()), quorum});
  std::vector<std::string> set = {
      "SENTINEL",         "SET", "m", "down-after-milliseconds", "500",
      "failover-timeout", "5000"};
  if (!options_.password.empty()) {
    set.insert(set.end(), {"auth-pass", options_.password});
  }
  sentinel.Command(set);
}

bool RedisSentinels::Ready(const RedisProcess& sentinel) const {
  const RedisReply master = sentinel.Command({"SENTINEL", "MASTER", "m"});
  return Field(master, "flags") == "master" &&
         Field(master, "num-slaves") == "1" &&
         Field(master, "num-other-sentinels") ==
             std::to_string(options_.sentinels - 1);
}

}  // namespace rls
