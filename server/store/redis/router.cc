#include "store/redis/router.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "store/redis/cluster_nodes.h"
#include "store/redis/discovery.h"
#include "store/redis/split_take.h"

namespace rls {
namespace {

// One server has all counters.
class SingleRouter final : public Router {
 public:
  SingleRouter(const PipelineDependencies& dependencies,
               std::unique_ptr<EndpointSource> source)
      : pipeline_(dependencies, std::move(source), nullptr) {}

  void Open() override { pipeline_.Open(); }
  bool usable() const override { return pipeline_.usable(); }
  bool attempted() const override { return pipeline_.attempted(); }
  void Add(std::unique_ptr<PendingTake> take) override {
    pipeline_.Add(std::move(take));
  }
  void Flush() override { pipeline_.Flush(); }

 private:
  Pipeline pipeline_;
};

// The most redirections of one take: a slot may move again meanwhile.
constexpr int kMaxRedirections = 8;
// The pause before a take is sent again whose keys are being moved from one
// master to another.
constexpr std::chrono::milliseconds kTryAgainPause{2};

// The router of a Redis Cluster.
class ClusterRouter final : public Router,
                            private PipelineOwner,
                            private ClusterWatch::Owner {
 public:
  ClusterRouter(const PipelineDependencies& dependencies,
                const RedisTarget& target)
      : loop_(dependencies.stream.loop),
        splits_(loop_, dependencies.command_timeout, [this] { Flush(); }),
        pause_(loop_.NewTimer([this] { EndPause(); })),
        watch_(dependencies.stream, target.credentials, target.endpoints,
               *this),
        nodes_(std::make_unique<ClusterNodes>(
            dependencies, static_cast<PipelineOwner&>(*this))) {}

  ~ClusterRouter() override {
    nodes_.reset();
    for (std::unique_ptr<PendingTake>& take : paused_) {
      splits_.Later(std::move(take));
    }
    splits_.FailAll();
  }

  void Open() override { watch_.Open(); }

  bool usable() const override { return nodes_->usable(); }
  bool attempted() const override {
    return nodes_->tried() || without_slots_.load(std::memory_order_relaxed);
  }

  void Add(std::unique_ptr<PendingTake> take) override {
    absl::InlinedVector<int, 2> slot_of;
    for (const std::string& key : take->keys) {
      slot_of.push_back(ClusterSlotOf(key));
    }
    if (std::adjacent_find(slot_of.begin(), slot_of.end(),
                           std::not_equal_to<>()) != slot_of.end()) {
      splits_.Split(std::move(take), RanksOf<int>(slot_of));
    } else {
      take->slot = slot_of[0];
      Route(std::move(take));
    }
  }

  void Flush() override {
    for (PendingTakes due = splits_.TakeDue(); !due.empty();
         due = splits_.TakeDue()) {
      for (std::unique_ptr<PendingTake>& take : due) {
        if (take->slot == PendingTake::kNoSlot) {
          take->slot = ClusterSlotOf(take->keys[0]);
        }
        Route(std::move(take));
      }
    }
    nodes_->Flush();
  }

  size_t SlotOf(absl::string_view key) const override {
    return static_cast<size_t>(ClusterSlotOf(key));
  }

 private:
  void Route(std::unique_ptr<PendingTake> take) {
    Pipeline* const pipeline = nodes_->WithSlot(take->slot);
    if (pipeline != nullptr) {
      pipeline->Add(std::move(take));
    } else {
      watch_.Doubt();
      take->Fail(absl::UnavailableError(
          absl::StrCat("no master has slot ", take->slot)));
    }
  }

  // PipelineOwner

  void OnRefused(Pipeline& pipeline, PendingTakes takes,
                 absl::string_view error) override {
    const std::optional<Redirection> redirection =
        ReadRedirection(error, pipeline.endpoint());
    const bool try_again = absl::StartsWith(error, "TRYAGAIN");
    const bool moved = redirection.has_value() && redirection->permanent;
    if (!try_again && (moved || !redirection.has_value())) watch_.Doubt();
    if (moved) {
      nodes_->MoveSlot(redirection->slot, redirection->to);
    }
    for (std::unique_ptr<PendingTake>& take : takes) {
      take->asking = false;
      if (try_again) {
        TryAgain(std::move(take));
      } else if (redirection.has_value() &&
                 ++take->redirects <= kMaxRedirections) {
        Redirect(std::move(take), *redirection);
      } else {
        take->Fail(absl::UnavailableError(absl::StrCat("Redis: ", error)));
      }
    }
  }

  void Redirect(std::unique_ptr<PendingTake> take,
                const Redirection& redirection) {
    if (redirection.permanent) {
      splits_.Later(std::move(take));
      return;
    }
    Pipeline* const pipeline = nodes_->At(redirection.to);
    if (pipeline == nullptr) {
      take->Fail(absl::UnavailableError("Redis Cluster: too many masters"));
      return;
    }
    take->asking = true;
    pipeline->Add(std::move(take));
    splits_.FlushLater();
  }

  // While a slot moves, a script call can reach only keys that are on the same
  // master. So the take is first sent without the keys of other takes, and then
  // as one sub-take for each key.
  void TryAgain(std::unique_ptr<PendingTake> take) {
    if (!std::exchange(take->alone, true)) {
      splits_.Later(std::move(take));
    } else if (take->keys.size() > 1 && take->sub_take != nullptr) {
      take->sub_take->scattered();
    } else if (take->keys.size() > 1) {
      const std::vector<size_t> rank_of = RanksOf<std::string>(take->keys);
      splits_.Split(std::move(take), rank_of);
    } else {
      if (paused_.empty()) pause_->Set(loop_.Now() + kTryAgainPause);
      paused_.push_back(std::move(take));
    }
  }

  void EndPause() {
    for (std::unique_ptr<PendingTake>& take : std::exchange(paused_, {})) {
      splits_.Later(std::move(take));
    }
  }

  void OnChange(Pipeline& pipeline) override {
    nodes_->UpdateUsable();
    if (!pipeline.usable() && nodes_->HasSlots(pipeline)) watch_.Doubt();
  }

  // ClusterWatch::Owner

  void OnSlots(const std::vector<SlotRange>& slots) override {
    if (std::exchange(lost_, false)) LogInfo("Redis Cluster: reachable again");
    nodes_->Assign(slots);
  }

  void OnNoSlots(const absl::Status& why) override {
    without_slots_.store(true, std::memory_order_relaxed);
    // Each enquiry ends with the error of another node: log only the first one.
    if (!std::exchange(lost_, true)) {
      LogWarning(absl::StrCat("Redis Cluster: ", why.message()));
    }
  }

  EventLoop& loop_;
  SplitTakes splits_;
  const std::unique_ptr<EventLoop::Timer> pause_;
  ClusterWatch watch_;
  std::unique_ptr<ClusterNodes> nodes_;
  PendingTakes paused_;                     // for the next EndPause()
  bool lost_ = false;                       // the last enquiry failed
  std::atomic<bool> without_slots_{false};  // some enquiry has failed
};

// Indices of PerSecondRouter's routers.
constexpr size_t kRest = 0;
constexpr size_t kPerSecond = 1;

size_t RouterOf(const Charge& charge) {
  const Policy& policy = *charge.policy;
  return policy.calendar == Calendar::kNone && policy.window == absl::Seconds(1)
             ? kPerSecond
             : kRest;
}

class PerSecondRouter final : public Router {
 public:
  PerSecondRouter(EventLoop& loop, SteadyDuration command_timeout,
                  std::unique_ptr<Router> rest,
                  std::unique_ptr<Router> per_second)
      : splits_(loop, command_timeout, [this] { Flush(); }),
        routers_({std::move(rest), std::move(per_second)}) {}

  ~PerSecondRouter() override {
    for (std::unique_ptr<Router>& router : routers_) router.reset();
    splits_.FailAll();
  }

  void Open() override {
    for (const auto& router : routers_) router->Open();
  }
  bool usable() const override {
    return std::any_of(routers_.begin(), routers_.end(),
                       [](const auto& router) { return router->usable(); });
  }
  bool ready() const override {
    return std::all_of(routers_.begin(), routers_.end(),
                       [](const auto& router) { return router->ready(); });
  }
  bool attempted() const override {
    return std::all_of(routers_.begin(), routers_.end(),
                       [](const auto& router) { return router->attempted(); });
  }

  void Add(std::unique_ptr<PendingTake> take) override {
    const size_t router = RouterOf(take->charges[0]);
    if (std::all_of(
            take->charges.begin(), take->charges.end(),
            [&](const Charge& charge) { return RouterOf(charge) == router; })) {
      routers_[router]->Add(std::move(take));
      return;
    }
    using Place = std::pair<size_t, size_t>;  // router, slot
    std::vector<Place> place_of(take->keys.size());
    for (size_t i = 0; i < take->charges.size(); ++i) {
      const size_t key = take->counter_of[i];
      const size_t at = RouterOf(take->charges[i]);
      place_of[key] = {at, routers_[at]->SlotOf(take->keys[key])};
    }
    splits_.Split(std::move(take), RanksOf<Place>(place_of));
  }

  void Flush() override {
    for (PendingTakes due = splits_.TakeDue(); !due.empty();
         due = splits_.TakeDue()) {
      for (std::unique_ptr<PendingTake>& take : due) {
        const size_t router = RouterOf(take->charges[0]);
        routers_[router]->Add(std::move(take));
      }
    }
    for (const auto& router : routers_) router->Flush();
  }

 private:
  SplitTakes splits_;
  std::array<std::unique_ptr<Router>, 2> routers_;
};

}  // namespace

absl::Duration TimeLimitOf(absl::Span<const Charge> charges,
                           absl::Duration rest,
                           std::optional<absl::Duration> per_second) {
  if (!per_second.has_value()) return rest;
  absl::Duration limit;
  for (const Charge& charge : charges) {
    limit = std::max(limit, RouterOf(charge) == kRest ? rest : *per_second);
  }
  return limit;
}

std::unique_ptr<Router> NewRouter(const PipelineDependencies& dependencies,
                                  const RedisTarget& target) {
  switch (target.kind) {
    case RedisTarget::Kind::kSingle:
      break;
    case RedisTarget::Kind::kCluster:
      return std::make_unique<ClusterRouter>(dependencies, target);
    case RedisTarget::Kind::kSentinel:
      return std::make_unique<SingleRouter>(
          dependencies,
          NewSentinelSource(dependencies.stream,
                            {.sentinels = target.endpoints,
                             .master_name = target.master_name,
                             .credentials = target.sentinel_credentials}));
  }
  return std::make_unique<SingleRouter>(dependencies,
                                        NewConstantSource(target.endpoints[0]));
}

std::unique_ptr<Router> NewPerSecondRouter(EventLoop& loop,
                                           SteadyDuration command_timeout,
                                           std::unique_ptr<Router> rest,
                                           std::unique_ptr<Router> per_second) {
  return std::make_unique<PerSecondRouter>(
      loop, command_timeout, std::move(rest), std::move(per_second));
}

}  // namespace rls
