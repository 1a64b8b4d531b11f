#include "store_redis/script_call.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "store_redis/reply.h"
#include "store_redis/script_sources.h"

namespace rls {
namespace {

// Of one plain charge: sums of many, and of what a counter may hold beside
// them, stay exact in a double.
constexpr int64_t kMaxPlainAmount = int64_t{1} << 40;

Script ScriptFor(const PendingTake& take) {
  if (take.needs_general || take.denied() ||
      !std::all_of(take.charges.begin(), take.charges.end(), IsPlain)) {
    return Script::kTake;
  }
  if (take.charges.size() == 1) return Script::kFixed;
  // A counter twice: its charges see each other.
  return take.keys.size() == take.charges.size() ? Script::kSeveral
                                                 : Script::kTake;
}

std::unique_ptr<ScriptCall> NewCall(Script script, PendingTakes takes,
                                    absl::Time now) {
  switch (script) {
    case Script::kFixed:
      return NewFixedCall(std::move(takes));
    case Script::kSeveral:
      return NewSeveralCall(std::move(takes));
    case Script::kTake:
      break;
  }
  return NewTakeCall(std::move(takes), now);
}

// Takes that are equal here may share a call.
auto Group(const PendingTake& take) {
  return std::tuple(take.slot, take.asking, take.alone,
                    take.alone ? absl::MakeConstSpan(take.keys)
                               : absl::Span<const std::string>());
}

// Calls for takes that may share them.
void AddCalls(absl::Span<std::unique_ptr<PendingTake>> takes, absl::Time now,
              std::vector<std::unique_ptr<ScriptCall>>& calls) {
  struct Gathered {
    PendingTakes takes;
    size_t keys = 0;
  };
  std::array<Gathered, kScripts> gathered;
  const auto call = [&](size_t script) {
    Gathered whole = std::exchange(gathered[script], {});
    calls.push_back(
        NewCall(static_cast<Script>(script), std::move(whole.takes), now));
  };
  for (std::unique_ptr<PendingTake>& take : takes) {
    const auto script = static_cast<size_t>(ScriptFor(*take));
    Gathered& into = gathered[script];
    if (!into.takes.empty() && into.keys + take->keys.size() > kMaxCallKeys) {
      call(script);
    }
    into.keys += take->keys.size();
    into.takes.push_back(std::move(take));
  }
  for (size_t script = 0; script < gathered.size(); ++script) {
    if (!gathered[script].takes.empty()) call(script);
  }
}

}  // namespace

absl::string_view ScriptSource(Script script) {
  switch (script) {
    case Script::kFixed:
      return kFixedLua;
    case Script::kSeveral:
      return kSeveralLua;
    case Script::kTake:
      return kTakeLua;
  }
  return "";
}

ScriptCall::ScriptCall(Script script, PendingTakes takes)
    : script_(script), takes_(std::move(takes)), asking_(takes_[0]->asking) {}

void ScriptCall::AppendTo(absl::string_view command, absl::string_view script,
                          std::string& out) const {
  AppendArrayHeader(2 + word_count_, out);
  AppendBulk(command, out);
  AppendBulk(script, out);
  out.append(words_);
}

void ScriptCall::AddWord(absl::string_view word) {
  AppendBulk(word, words_);
  ++word_count_;
}

void ScriptCall::AddWord(int64_t number) {
  AddWord(absl::AlphaNum(number).Piece());
}

void ScriptCall::Answer(PendingTake& take, absl::Time now,
                        absl::Span<JudgedCounter> counters,
                        Exhausted& exhausted) {
  if (take.part != nullptr && take.part->found != nullptr) {
    // What it leaves is seen only once all parts are known.
    for (const Charge& charge : take.charges) exhausted.OnChanged(charge);
    take.part->found(now, counters);
    return;
  }
  for (JudgedCounter& counter : counters) counter.after = counter.before;
  absl::InlinedVector<Outcome, 4> outcomes(take.charges.size());
  JudgeAll(take.view(), now, counters, absl::MakeSpan(outcomes));
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const JudgedCounter& counter = counters[take.counter_of[i]];
    if (counter.after == counter.before) continue;
    exhausted.OnChanged(take.charges[i]);
  }
  if (outcomes.size() == 1 && !outcomes[0].allowed &&
      outcomes[0].remaining == 0) {
    exhausted.OnExhausted(take, counters[0].after, now);
  }
  take.done(absl::MakeConstSpan(outcomes));
}

bool IsPlain(const Charge& charge) {
  const Policy& policy = *charge.policy;
  const int64_t capacity = policy.limit + policy.burst;
  return policy.algorithm == Algorithm::kFixedWindow &&
         policy.calendar == Calendar::kNone && !policy.queue &&
         (policy.burst == 0 || policy.burst_mode == BurstMode::kUpfront) &&
         (charge.kind == ChargeKind::kEnforce ||
          charge.kind == ChargeKind::kObserve) &&
         charge.cost > 0 &&
         // So that a refusal never leaves a counter that was not there before.
         charge.cost <= capacity && capacity <= kMaxPlainAmount;
}

std::vector<std::unique_ptr<ScriptCall>> MakeCalls(PendingTakes takes,
                                                   absl::Time now) {
  std::vector<std::unique_ptr<ScriptCall>> calls;
  if (takes[0]->slot == PendingTake::kNoSlot) {
    AddCalls(absl::MakeSpan(takes), now, calls);
    return calls;
  }
  std::stable_sort(
      takes.begin(), takes.end(),
      [](const auto& a, const auto& b) { return Group(*a) < Group(*b); });
  for (auto begin = takes.begin(); begin != takes.end();) {
    const auto end = std::find_if(begin, takes.end(), [&](const auto& take) {
      return Group(*take) != Group(**begin);
    });
    AddCalls({&*begin, static_cast<size_t>(end - begin)}, now, calls);
    begin = end;
  }
  return calls;
}

}  // namespace rls
