#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "limit/algorithms.h"
#include "store_redis/packed.h"
#include "store_redis/reply.h"
#include "store_redis/script_call.h"

namespace rls {
namespace {

// Of one charge: sums of many, and of what a counter may hold beside them, stay
// exact in a double.
constexpr int64_t kMaxFixedAmount = int64_t{1} << 40;

// What steps of one run have in common.
struct Shape {
  int64_t unit = 0;      // cost of each take
  int64_t capacity = 0;  // -1: refusals are counted
  int64_t window_us = 0;

  friend bool operator==(const Shape&, const Shape&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const Shape& shape) {
    return H::combine(std::move(hash), shape.unit, shape.capacity,
                      shape.window_us);
  }
};

Shape ShapeOf(const PendingTake& take) {
  const Charge& charge = take.charges[0];
  const Policy& policy = *charge.policy;
  return {.unit = charge.cost,
          .capacity = take.accounting == Accounting::kIndependent
                          ? -1
                          : policy.limit + policy.burst,  // upfront, or 0
          .window_us = absl::ToInt64Microseconds(policy.window)};
}

class FixedCall final : public ScriptCall {
 public:
  explicit FixedCall(PendingTakes takes) : takes_(std::move(takes)) {
    std::vector<absl::string_view> keys;  // of steps_
    absl::flat_hash_map<std::pair<absl::string_view, Shape>, size_t> step_of;
    for (size_t i = 0; i < takes_.size(); ++i) {
      const Shape shape = ShapeOf(*takes_[i]);
      const absl::string_view key = takes_[i]->keys[0];
      const auto [it, added] =
          step_of.try_emplace(std::pair(key, shape), steps_.size());
      if (added) {
        steps_.push_back({.shape = shape, .takes = {}});
        keys.push_back(key);
      }
      steps_[it->second].takes.push_back(i);
    }
    MakeRuns();
    Write(keys);
  }

  Script script() const override { return Script::kFixed; }
  PendingTakes& takes() override { return takes_; }

  void AppendTo(absl::string_view sha, std::string& out) const override {
    AppendArrayHeader(3 + steps_.size() + kRunWords * runs_.size(), out);
    AppendBulk("EVALSHA", out);
    AppendBulk(sha, out);
    out.append(words_);
  }

  absl::StatusOr<PendingTakes> OnReply(absl::string_view packed,
                                       Exhausted& exhausted) override {
    PackedReader reader(packed);
    if (reader.left() != 1 + steps_.size()) {
      return absl::UnavailableError("fixed.lua gave a reply of another size");
    }
    const absl::Time now = reader.Microseconds();
    PendingTakes again;
    for (const Run& run : runs_) {
      for (const size_t step : run.steps) {
        const int64_t used = reader.Integer();
        if (used >= 0) {
          Answer(steps_[step], used - run.units, now, exhausted);
        } else {
          GiveBack(steps_[step], again);
        }
      }
    }
    return again;
  }

 private:
  // One counter's alike takes, folded into one.
  struct Step {
    Shape shape;
    absl::InlinedVector<size_t, 1> takes;
  };
  struct Run {
    int64_t units = 0;  // of each step
    Shape shape;
    std::vector<size_t> steps;
  };
  static constexpr size_t kRunWords = 5;

  // Steps that fixed.lua treats alike stand together, so that what they share
  // is sent once.
  void MakeRuns() {
    absl::flat_hash_map<std::pair<int64_t, Shape>, size_t> run_of;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      const int64_t units =
          step.shape.unit * static_cast<int64_t>(step.takes.size());
      const auto [it, added] =
          run_of.try_emplace(std::pair(units, step.shape), runs_.size());
      if (added) {
        runs_.push_back({.units = units, .shape = step.shape, .steps = {}});
      }
      runs_[it->second].steps.push_back(i);
    }
  }

  // Takes go when they are answered, maybe before the command is sent again.
  void Write(const std::vector<absl::string_view>& keys) {
    AppendBulk(absl::AlphaNum(steps_.size()).Piece(), words_);
    for (const Run& run : runs_) {
      for (const size_t step : run.steps) AppendBulk(keys[step], words_);
    }
    for (const Run& run : runs_) {
      const std::array<int64_t, kRunWords> words = {
          run.units, run.shape.unit, run.shape.capacity, run.shape.window_us,
          static_cast<int64_t>(run.steps.size())};
      for (const int64_t word : words) {
        AppendBulk(absl::AlphaNum(word).Piece(), words_);
      }
    }
  }

  // The callers in their order, as if each had come alone; those that are gone
  // had their turn all the same.
  void Answer(const Step& step, int64_t before, absl::Time now,
              Exhausted& exhausted) {
    const int64_t unit = step.shape.unit;
    const bool counts_refusals = step.shape.capacity < 0;
    const int64_t fit =
        counts_refusals
            ? INT64_MAX
            : std::max<int64_t>(0, step.shape.capacity - before) / unit;
    for (size_t turn = 0; turn < step.takes.size(); ++turn) {
      std::unique_ptr<PendingTake>& take = takes_[step.takes[turn]];
      if (take == nullptr) continue;
      const int64_t used =
          before + std::min(static_cast<int64_t>(turn), fit) * unit;
      AnswerOne(*take, std::clamp<int64_t>(used, 0, kMaxAmount), now,
                exhausted);
      take.reset();
    }
  }

  static void AnswerOne(PendingTake& take, int64_t used, absl::Time now,
                        Exhausted& exhausted) {
    const Charge& charge = take.charges[0];
    JudgedCounter counter;
    counter.before = {
        .anchor_ns = WindowAt(*charge.policy, absl::ToUnixNanos(now)).start_ns,
        .used = used};
    counter.after = counter.before;
    Outcome outcome;
    JudgeAll(take.view(), now, {&counter, 1}, {&outcome, 1});
    if (!outcome.allowed && outcome.remaining == 0) {
      exhausted.OnExhausted(take, counter.before, now);
    }
    take.done(absl::MakeConstSpan(&outcome, 1));
  }

  void GiveBack(const Step& step, PendingTakes& again) {
    for (const size_t index : step.takes) {
      if (takes_[index] == nullptr) continue;
      takes_[index]->needs_general = true;
      again.push_back(std::move(takes_[index]));
    }
  }

  PendingTakes takes_;
  std::vector<Step> steps_;
  std::vector<Run> runs_;
  std::string words_;  // of the command, behind the script's name
};

}  // namespace

bool FitsFixedCall(const PendingTake& take) {
  if (take.charges.size() != 1 || take.needs_general) return false;
  const Charge& charge = take.charges[0];
  const int64_t capacity = charge.policy->limit + charge.policy->burst;
  return IsPlain(*charge.policy) &&
         charge.policy->calendar == Calendar::kNone &&
         (charge.kind == ChargeKind::kEnforce ||
          charge.kind == ChargeKind::kObserve) &&
         charge.cost > 0 &&
         // So that a refusal never leaves a counter that was not there before.
         charge.cost <= capacity &&
         capacity <= kMaxFixedAmount;
}

std::unique_ptr<ScriptCall> NewFixedCall(PendingTakes takes) {
  return std::make_unique<FixedCall>(std::move(takes));
}

}  // namespace rls
