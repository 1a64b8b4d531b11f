#include "store/redis/worker.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace rls {
namespace {

std::unique_ptr<Router> RouterTo(const RedisServers& servers,
                                 SteadyDuration command_timeout,
                                 const WorkerDependencies& dependencies,
                                 EventLoop& loop) {
  return NewRouter(
      {.stream = {.loop = loop,
                  .resolver = dependencies.resolver,
                  .tls = servers.tls.get()},
       .clock = dependencies.clock,
       .listener = dependencies.listener,
       .refusals = dependencies.refusals,
       .command_timeout = command_timeout,
       .access = {.credentials = servers.target.credentials,
                  .database = servers.target.database,
                  .key_prefix = std::string(dependencies.key_prefix)}},
      servers.target);
}

std::unique_ptr<Router> RouterOf(const WorkerDependencies& dependencies,
                                 EventLoop& loop) {
  std::unique_ptr<Router> router = RouterTo(
      dependencies.servers, dependencies.command_timeout, dependencies, loop);
  if (dependencies.per_second == nullptr) return router;
  return NewPerSecondRouter(
      loop,
      std::max(dependencies.command_timeout, dependencies.per_second_timeout),
      std::move(router),
      RouterTo(*dependencies.per_second, dependencies.per_second_timeout,
               dependencies, loop));
}

}  // namespace

Worker::Worker(const WorkerDependencies& dependencies)
    : own_loop_(dependencies.loop == nullptr ? NewEventLoop() : nullptr),
      loop_(dependencies.loop == nullptr ? *own_loop_ : *dependencies.loop),
      clock_(dependencies.clock),
      router_(RouterOf(dependencies, loop_)) {
  loop_.Post([this] { router_->Open(); });
  if (own_loop_ != nullptr) thread_ = std::thread([this] { loop_.Run(); });
}

Worker::~Worker() {
  Stop();
  Drain();  // the router then fails the takes
}

void Worker::Add(std::unique_ptr<PendingTake> take) {
  bool first = false;
  {
    const MutexLock lock(&mutex_);
    first = inbox_.empty();
    inbox_.push_back(std::move(take));
  }
  // The task serves all takes that come before it runs.
  if (first) {
    loop_.Post([this] { Drain(); });
  }
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  loop_.Stop();
  thread_.join();
}

void Worker::Drain() {
  PendingTakes takes;
  {
    const MutexLock lock(&mutex_);
    takes.swap(inbox_);
  }
  const SteadyTime now = loop_.Now();
  const absl::Duration elapsed = clock_.Elapsed();
  for (std::unique_ptr<PendingTake>& take : takes) {
    const absl::Duration left = take->taken_at + take->time_limit - elapsed;
    take->answer_by = now + absl::ToChronoNanoseconds(left);
    router_->Add(std::move(take));
  }
  router_->Flush();
}

}  // namespace rls
