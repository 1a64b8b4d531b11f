#include "store_redis/worker.h"

#include <utility>

#include "store_redis/per_second_router.h"

namespace rls {

namespace {

std::unique_ptr<Router> RouterTo(const RedisServers& servers,
                                 const WorkerParts& parts, EventLoop& loop) {
  return NewRouter({.stream = {.loop = loop,
                               .resolver = parts.resolver,
                               .tls = servers.tls.get()},
                    .clock = parts.clock,
                    .exhausted = parts.exhausted,
                    .command_timeout = parts.command_timeout,
                    .access = {.credentials = servers.target.credentials,
                               .database = servers.target.database}},
                   servers.target);
}

std::unique_ptr<Router> RouterOf(const WorkerParts& parts, EventLoop& loop) {
  std::unique_ptr<Router> router = RouterTo(parts.servers, parts, loop);
  if (parts.per_second == nullptr) return router;
  return NewPerSecondRouter(loop, parts.command_timeout, std::move(router),
                            RouterTo(*parts.per_second, parts, loop));
}

}  // namespace

Worker::Worker(const WorkerParts& parts)
    : own_loop_(parts.loop == nullptr ? NewEventLoop() : nullptr),
      loop_(parts.loop == nullptr ? *own_loop_ : *parts.loop),
      router_(RouterOf(parts, loop_)) {
  loop_.Post([this] { router_->Open(); });
  if (own_loop_ != nullptr) thread_ = std::thread([this] { loop_.Run(); });
}

Worker::~Worker() {
  Stop();
  Drain();  // so that the router fails it
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  loop_.Stop();
  thread_.join();
}

void Worker::Add(std::unique_ptr<PendingTake> take) {
  bool first = false;
  {
    const MutexLock lock(&mutex_);
    first = inbox_.empty();
    inbox_.push_back(std::move(take));
  }
  // Whoever comes before the loop has woken goes along.
  if (first) {
    loop_.Post([this] { Drain(); });
  }
}

void Worker::Drain() {
  PendingTakes takes;
  {
    const MutexLock lock(&mutex_);
    takes.swap(inbox_);
  }
  for (std::unique_ptr<PendingTake>& take : takes) {
    router_->Add(std::move(take));
  }
  router_->Flush();
}

}  // namespace rls
