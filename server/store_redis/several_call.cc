#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "store_redis/packed.h"
#include "store_redis/script_call.h"

namespace rls {
namespace {

// What several.lua is told of a run of alike takes, but for their number.
using Shape = std::vector<int64_t>;

Shape ShapeOf(const PendingTake& take) {
  Shape shape = {static_cast<int64_t>(take.charges.size()),
                 take.accounting == Accounting::kIndependent ? 1 : 0};
  for (const Charge& charge : take.charges) {
    const Policy& policy = *charge.policy;
    shape.insert(shape.end(), {charge.cost, policy.limit + policy.burst,
                               absl::ToInt64Microseconds(policy.window),
                               charge.kind == ChargeKind::kObserve ? 1 : 0});
  }
  return shape;
}

class SeveralCall final : public ScriptCall {
 public:
  explicit SeveralCall(PendingTakes pending)
      : ScriptCall(Script::kSeveral, std::move(pending)) {
    absl::flat_hash_map<Shape, size_t> run_of;
    for (size_t i = 0; i < takes().size(); ++i) {
      const PendingTake& take = *takes()[i];
      const auto [it, added] = run_of.try_emplace(ShapeOf(take), runs_.size());
      if (added) {
        runs_.push_back(
            {.charges = take.charges.size(), .shape = it->first, .takes = {}});
      }
      runs_[it->second].takes.push_back(i);
      keys_ += take.keys.size();
    }
    AddWord(static_cast<int64_t>(keys_));
    for (const Run& run : runs_) {
      for (const size_t index : run.takes) {
        for (const std::string& key : takes()[index]->keys) AddWord(key);
      }
    }
    for (const Run& run : runs_) {
      AddWord(static_cast<int64_t>(run.takes.size()));
      for (const int64_t word : run.shape) AddWord(word);
    }
  }

  absl::Status OnReply(absl::string_view packed,
                       Exhausted& exhausted) override {
    const auto bad = [] {
      return absl::UnavailableError("several.lua gave another kind of reply");
    };
    if (packed.size() != sizeof(double) * (1 + keys_)) return bad();
    PackedReader reader(packed);
    const absl::Time now = reader.Microseconds();
    for (const Run& run : runs_) {
      for (const size_t index : run.takes) {
        absl::InlinedVector<int64_t, 4> used(run.charges);
        for (int64_t& number : used) number = reader.Integer();
        if (used[0] < kNothingDone) return bad();
        std::unique_ptr<PendingTake>& take = takes()[index];
        if (take == nullptr) continue;
        if (used[0] < 0) {
          take->needs_general = true;
          continue;
        }
        absl::InlinedVector<JudgedCounter, 4> counters(run.charges);
        for (size_t i = 0; i < run.charges; ++i) {
          counters[i].before =
              PlainState(*take->charges[i].policy, now, used[i]);
        }
        Answer(*take, now, absl::MakeSpan(counters), exhausted);
        take.reset();
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Run {
    size_t charges = 0;  // of each take
    Shape shape;
    std::vector<size_t> takes;
  };

  std::vector<Run> runs_;
  size_t keys_ = 0;
};

}  // namespace

std::unique_ptr<ScriptCall> NewSeveralCall(PendingTakes takes) {
  return std::make_unique<SeveralCall>(std::move(takes));
}

}  // namespace rls
