#include "store_redis/worker.h"

#include <utility>

namespace rls {

Worker::Worker(const WorkerParts& parts, const RedisTarget& target)
    : loop_(NewEventLoop()),
      router_(NewRouter({.stream = {.loop = *loop_,
                                    .resolver = parts.resolver,
                                    .tls = parts.tls},
                         .clock = parts.clock,
                         .exhausted = parts.exhausted,
                         .command_timeout = parts.command_timeout,
                         .access = {.credentials = target.credentials,
                                    .database = target.database}},
                        target)) {
  loop_->Post([this] { router_->Open(); });
  thread_ = std::thread([this] { loop_->Run(); });
}

Worker::~Worker() {
  loop_->Stop();
  thread_.join();
  Drain();  // so that the router fails it
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
    loop_->Post([this] { Drain(); });
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
