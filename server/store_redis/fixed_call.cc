#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "store_redis/packed.h"
#include "store_redis/script_call.h"

namespace rls {
namespace {

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
  explicit FixedCall(PendingTakes pending)
      : ScriptCall(Script::kFixed, std::move(pending)) {
    std::vector<absl::string_view> keys;  // of steps_
    absl::flat_hash_map<std::pair<absl::string_view, Shape>, size_t> step_of;
    for (size_t i = 0; i < takes().size(); ++i) {
      const Shape shape = ShapeOf(*takes()[i]);
      const absl::string_view key = takes()[i]->keys[0];
      const auto [it, added] =
          step_of.try_emplace(std::pair(key, shape), steps_.size());
      if (added) {
        steps_.emplace_back().shape = shape;
        keys.push_back(key);
      }
      steps_[it->second].takes.push_back(i);
    }
    MakeRuns();
    Write(keys);
  }

  absl::Status OnReply(absl::string_view packed,
                       Exhausted& exhausted) override {
    const auto bad = [] {
      return absl::UnavailableError("fixed.lua gave another kind of reply");
    };
    if (packed.size() != sizeof(double) * (1 + steps_.size())) return bad();
    PackedReader reader(packed);
    const absl::Time now = reader.Microseconds();
    for (const Run& run : runs_) {
      for (const size_t step : run.steps) {
        const int64_t used = reader.Integer();
        if (used < kNothingDone) return bad();
        if (used >= 0) {
          AnswerStep(steps_[step], used - run.units, now, exhausted);
        } else {
          LeaveToTheGeneral(steps_[step]);
        }
      }
    }
    return absl::OkStatus();
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

  void Write(const std::vector<absl::string_view>& keys) {
    AddWord(static_cast<int64_t>(steps_.size()));
    for (const Run& run : runs_) {
      for (const size_t step : run.steps) AddWord(keys[step]);
    }
    for (const Run& run : runs_) {
      AddWord(run.units);
      AddWord(run.shape.unit);
      AddWord(run.shape.capacity);
      AddWord(run.shape.window_us);
      AddWord(static_cast<int64_t>(run.steps.size()));
    }
  }

  // The callers in their order, as if each had come alone; those that are gone
  // had their turn all the same.
  void AnswerStep(const Step& step, int64_t before, absl::Time now,
                  Exhausted& exhausted) {
    const int64_t unit = step.shape.unit;
    const bool counts_refusals = step.shape.capacity < 0;
    const int64_t fit =
        counts_refusals
            ? INT64_MAX
            : std::max<int64_t>(0, step.shape.capacity - before) / unit;
    for (size_t turn = 0; turn < step.takes.size(); ++turn) {
      std::unique_ptr<PendingTake>& take = takes()[step.takes[turn]];
      if (take == nullptr) continue;
      const int64_t used =
          before + std::min(static_cast<int64_t>(turn), fit) * unit;
      JudgedCounter counter = {
          .before = PlainState(*take->charges[0].policy, now, used)};
      Answer(*take, now, {&counter, 1}, exhausted);
      take.reset();
    }
  }

  void LeaveToTheGeneral(const Step& step) {
    for (const size_t index : step.takes) {
      if (takes()[index] != nullptr) takes()[index]->needs_general = true;
    }
  }

  std::vector<Step> steps_;
  std::vector<Run> runs_;
};

}  // namespace

std::unique_ptr<ScriptCall> NewFixedCall(PendingTakes takes) {
  return std::make_unique<FixedCall>(std::move(takes));
}

}  // namespace rls
