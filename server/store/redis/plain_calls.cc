// The script calls for plain counters: fixed.lua and several.lua.

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "store/redis/script_call.h"

namespace rls {
namespace {

// A script returns this number instead of a counter's value if it has left a
// step, or a take, to take.lua and has changed nothing.
constexpr int64_t kNothingDone = -1;

// The state of a plain counter whose value is `used` at the time `now` of
// Redis: see scripts/fixed.lua.
CounterState PlainState(const Policy& policy, absl::Time now, int64_t used) {
  return {.anchor_ns = WindowAt(policy, absl::ToUnixNanos(now)).start_ns,
          .used = ClampTo(used, 0, kMaxAmount)};
}

// The properties that all steps of a run share.
struct FixedShape {
  int64_t unit = 0;  // the cost of each take
  int64_t capacity = 0;
  bool counts_refusals = false;
  int64_t window_us = 0;

  friend bool operator==(const FixedShape&, const FixedShape&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const FixedShape& shape) {
    return H::combine(std::move(hash), shape.unit, shape.capacity,
                      shape.counts_refusals, shape.window_us);
  }
};

FixedShape FixedShapeOf(const PendingTake& take) {
  const Charge& charge = take.charges[0];
  const Policy& policy = *charge.policy;
  return {.unit = charge.cost,
          .capacity = policy.limit + policy.burst,  // upfront, or 0
          .counts_refusals = take.accounting == Accounting::kIndependent,
          .window_us = absl::ToInt64Microseconds(policy.window)};
}

class FixedCall final : public ScriptCall {
 public:
  explicit FixedCall(PendingTakes pending)
      : ScriptCall(Script::kFixed, std::move(pending)) {
    std::vector<absl::string_view> keys;  // of steps_
    absl::flat_hash_map<std::pair<absl::string_view, FixedShape>, size_t>
        step_of;
    for (size_t i = 0; i < takes().size(); ++i) {
      const FixedShape shape = FixedShapeOf(*takes()[i]);
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
                       CounterListener& listener) override {
    const auto bad = [] {
      return absl::UnavailableError("not a valid reply of fixed.lua");
    };
    PackedReader reader(packed);
    const std::optional<absl::Time> now = ReadHead(reader, listener);
    if (!now.has_value() || !reader.HoldsExactly(steps_.size())) return bad();
    for (const Run& run : runs_) {
      for (const size_t step : run.steps) {
        const int64_t used = reader.Integer();
        if (used < kNothingDone) return bad();
        if (used >= 0) {
          AnswerStep(steps_[step], used - run.units, *now, listener);
        } else {
          LeaveToTakeLua(steps_[step]);
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  // The takes of one counter with one shape, added up.
  struct Step {
    FixedShape shape;
    absl::InlinedVector<size_t, 1> takes;
  };
  struct Run {
    int64_t units = 0;  // the sum of the costs of each step
    FixedShape shape;
    std::vector<size_t> steps;
  };

  // Groups the steps by units and shape, so that the command contains shared
  // arguments once.
  void MakeRuns() {
    absl::flat_hash_map<std::pair<int64_t, FixedShape>, size_t> run_of;
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
      AddWord(run.shape.counts_refusals ? 1 : 0);
      AddWord(run.shape.window_us);
      AddWord(static_cast<int64_t>(run.steps.size()));
    }
  }

  // Answers the takes in their order, as if Redis had served them one by one. A
  // take that has expired meanwhile used its units nevertheless.
  void AnswerStep(const Step& step, int64_t before, absl::Time now,
                  CounterListener& listener) {
    const int64_t unit = step.shape.unit;
    const int64_t fit =
        step.shape.counts_refusals
            ? INT64_MAX
            : std::max<int64_t>(0, step.shape.capacity - before) / unit;
    for (size_t i = 0; i < step.takes.size(); ++i) {
      std::unique_ptr<PendingTake>& take = takes()[step.takes[i]];
      if (take == nullptr) continue;
      const int64_t used =
          before + std::min(static_cast<int64_t>(i), fit) * unit;
      JudgedCounter counter = {
          .before = PlainState(*take->charges[0].policy, now, used)};
      Answer(*take, now, {&counter, 1}, listener);
      take.reset();
    }
  }

  void LeaveToTakeLua(const Step& step) {
    for (const size_t index : step.takes) {
      if (takes()[index] != nullptr) takes()[index]->needs_take_lua = true;
    }
  }

  std::vector<Step> steps_;
  std::vector<Run> runs_;
};

// The arguments of several.lua that all takes of a run share.
using SeveralShape = std::vector<int64_t>;

SeveralShape SeveralShapeOf(const PendingTake& take) {
  SeveralShape shape = {static_cast<int64_t>(take.charges.size()),
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
    absl::flat_hash_map<SeveralShape, size_t> run_of;
    for (size_t i = 0; i < takes().size(); ++i) {
      const PendingTake& take = *takes()[i];
      const auto [it, added] =
          run_of.try_emplace(SeveralShapeOf(take), runs_.size());
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
                       CounterListener& listener) override {
    const auto bad = [] {
      return absl::UnavailableError("not a valid reply of several.lua");
    };
    PackedReader reader(packed);
    const std::optional<absl::Time> now = ReadHead(reader, listener);
    if (!now.has_value() || !reader.HoldsExactly(keys_)) return bad();
    for (const Run& run : runs_) {
      for (const size_t index : run.takes) {
        absl::InlinedVector<int64_t, 4> used(run.charges);
        for (int64_t& number : used) number = reader.Integer();
        if (used[0] < kNothingDone) return bad();
        std::unique_ptr<PendingTake>& take = takes()[index];
        if (take == nullptr) continue;
        if (used[0] < 0) {
          take->needs_take_lua = true;
          continue;
        }
        absl::InlinedVector<JudgedCounter, 4> counters(run.charges);
        for (size_t i = 0; i < run.charges; ++i) {
          counters[i].before =
              PlainState(*take->charges[i].policy, *now, used[i]);
        }
        Answer(*take, *now, absl::MakeSpan(counters), listener);
        take.reset();
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Run {
    size_t charges = 0;  // the number of charges of each take
    SeveralShape shape;
    std::vector<size_t> takes;
  };

  std::vector<Run> runs_;
  size_t keys_ = 0;
};

}  // namespace

std::unique_ptr<ScriptCall> NewFixedCall(PendingTakes takes) {
  return std::make_unique<FixedCall>(std::move(takes));
}

std::unique_ptr<ScriptCall> NewSeveralCall(PendingTakes takes) {
  return std::make_unique<SeveralCall>(std::move(takes));
}

}  // namespace rls
