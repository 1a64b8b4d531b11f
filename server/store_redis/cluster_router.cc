#include "store_redis/cluster_router.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
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

namespace rls {
namespace {

// A slot may move on while a take follows it, but not for ever.
constexpr int kMaxRedirections = 8;
// While the keys of a take are on their way from one master to another.
constexpr std::chrono::milliseconds kTryAgainPause{2};

class ClusterRouter final : public Router,
                            private PipelineOwner,
                            private ClusterWatch::Owner,
                            private SplitTake::Owner {
 public:
  ClusterRouter(const PipelineParts& parts, const RedisTarget& target)
      : parts_(parts),
        loop_(parts.stream.loop),
        pause_(loop_.NewTimer([this] { EndPause(); })),
        watch_(parts.stream, target.credentials, target.endpoints, *this),
        nodes_(std::make_unique<ClusterNodes>(
            parts, static_cast<PipelineOwner&>(*this))) {}

  ~ClusterRouter() override {
    nodes_.reset();
    // What fails may send again.
    while (!later_.empty() || !paused_.empty()) {
      PendingTakes takes = std::exchange(paused_, {});
      std::move(later_.begin(), later_.end(), std::back_inserter(takes));
      later_.clear();
      for (const std::unique_ptr<PendingTake>& take : takes) {
        take->Fail(absl::UnavailableError("the Redis store is closing"));
      }
    }
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
      Split(std::move(take), RanksOf<int>(slot_of));
    } else {
      take->slot = slot_of[0];
      Route(std::move(take));
    }
  }

  void Flush() override {
    while (!later_.empty()) {
      for (std::unique_ptr<PendingTake>& take : std::exchange(later_, {})) {
        if (take->answer_by <= loop_.Now()) {
          take->Expire();
        } else {
          Route(std::move(take));
        }
      }
    }
    nodes_->Flush();
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

  // For callbacks of pipelines, which must not be flushed within them.
  void Later(std::unique_ptr<PendingTake> take) {
    later_.push_back(std::move(take));
    FlushLater();
  }

  void FlushLater() {
    if (std::exchange(flush_posted_, true)) return;
    loop_.Post([this] {
      flush_posted_ = false;
      Flush();
    });
  }

  void Split(std::unique_ptr<PendingTake> take,
             absl::Span<const size_t> part_of) {
    SplitTake::Owner& self = *this;
    auto split = std::make_unique<SplitTake>(std::move(take), part_of, loop_,
                                             parts_.command_timeout, self);
    SplitTake* const begun = split.get();
    splits_.emplace(begun, std::move(split));
    begun->Begin();
  }

  // SplitTake::Owner

  void SendPart(std::unique_ptr<PendingTake> part) override {
    part->slot = ClusterSlotOf(part->keys[0]);
    Later(std::move(part));
  }

  void OnOver(SplitTake& take) override { splits_.erase(&take); }

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
      Later(std::move(take));
      return;
    }
    take->asking = true;
    nodes_->At(redirection.to).Add(std::move(take));
    FlushLater();
  }

  // While a slot moves, a call can reach only keys that are on one side: those
  // of one take, and if that is too many, each alone.
  void TryAgain(std::unique_ptr<PendingTake> take) {
    if (!std::exchange(take->alone, true)) {
      Later(std::move(take));
    } else if (take->keys.size() > 1 && take->part != nullptr) {
      take->part->scattered();
    } else if (take->keys.size() > 1) {
      const std::vector<size_t> part_of = RanksOf<std::string>(take->keys);
      Split(std::move(take), part_of);
    } else {
      if (paused_.empty()) pause_->Set(loop_.Now() + kTryAgainPause);
      paused_.push_back(std::move(take));
    }
  }

  void EndPause() {
    for (std::unique_ptr<PendingTake>& take : std::exchange(paused_, {})) {
      Later(std::move(take));
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
  const std::unique_ptr<EventLoop::Timer> pause_;
  ClusterWatch watch_;
  std::unique_ptr<ClusterNodes> nodes_;
  absl::flat_hash_map<SplitTake*, std::unique_ptr<SplitTake>> splits_;
  PendingTakes later_;   // for the next Flush()
  PendingTakes paused_;  // for the next EndPause()
  bool flush_posted_ = false;
  bool lost_ = false;  // no node could tell of the slots
};

}  // namespace

std::unique_ptr<Router> NewClusterRouter(const PipelineParts& parts,
                                         const RedisTarget& target) {
  return std::make_unique<ClusterRouter>(parts, target);
}

}  // namespace rls
