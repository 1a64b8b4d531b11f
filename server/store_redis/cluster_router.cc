#include "store_redis/cluster_router.h"

#include <algorithm>
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
#include "store_redis/cluster_nodes.h"
#include "store_redis/cluster_slots.h"
#include "store_redis/cluster_watch.h"
#include "store_redis/split_take.h"
#include "store_redis/split_takes.h"

namespace rls {
namespace {

// A slot may move on while a take follows it, but not for ever.
constexpr int kMaxRedirections = 8;
// While the keys of a take are on their way from one master to another.
constexpr std::chrono::milliseconds kTryAgainPause{2};

class ClusterRouter final : public Router,
                            private PipelineOwner,
                            private ClusterWatch::Owner {
 public:
  ClusterRouter(const PipelineParts& parts, const RedisTarget& target)
      : parts_(parts),
        loop_(parts.stream.loop),
        splits_(loop_, parts.command_timeout, *this),
        pause_(loop_.NewTimer([this] { EndPause(); })),
        watch_(parts.stream, target.credentials, target.endpoints, *this),
        nodes_(std::make_unique<ClusterNodes>(
            parts, static_cast<PipelineOwner&>(*this))) {}

  ~ClusterRouter() override {
    nodes_.reset();
    for (std::unique_ptr<PendingTake>& take : paused_) {
      splits_.Later(std::move(take));
    }
    splits_.FailAll();
  }

  void Open() override { watch_.Open(); }

  bool usable() const override { return nodes_->usable(); }

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

  size_t PartOf(absl::string_view key) const override {
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
    const bool asks = redirection.has_value() && !redirection->for_good;
    if (!try_again && !asks) watch_.Doubt();
    if (redirection.has_value() && redirection->for_good) {
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
    if (redirection.for_good) {
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

  // While a slot moves, a call can reach only keys that are on one side: those
  // of one take, and if that is too many, each alone.
  void TryAgain(std::unique_ptr<PendingTake> take) {
    if (!std::exchange(take->alone, true)) {
      splits_.Later(std::move(take));
    } else if (take->keys.size() > 1 && take->part != nullptr) {
      take->part->scattered();
    } else if (take->keys.size() > 1) {
      const std::vector<size_t> part_of = RanksOf<std::string>(take->keys);
      splits_.Split(std::move(take), part_of);
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
    if (std::exchange(lost_, false)) LogInfo("Redis Cluster: found again");
    nodes_->Assign(slots);
  }

  void OnNoSlots(const absl::Status& why) override {
    // Each time another node says why: one line is enough.
    if (!std::exchange(lost_, true)) {
      LogWarning(absl::StrCat("Redis Cluster: ", why.message()));
    }
  }

  const PipelineParts parts_;
  EventLoop& loop_;
  SplitTakes splits_;
  const std::unique_ptr<EventLoop::Timer> pause_;
  ClusterWatch watch_;
  std::unique_ptr<ClusterNodes> nodes_;
  PendingTakes paused_;  // for the next EndPause()
  bool lost_ = false;    // no node could tell of the slots
};

}  // namespace

std::unique_ptr<Router> NewClusterRouter(const PipelineParts& parts,
                                         const RedisTarget& target) {
  return std::make_unique<ClusterRouter>(parts, target);
}

}  // namespace rls
