#include "store/redis/script_call.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "store/redis/reply.h"
#include "store/redis/script_sources.h"

namespace rls {
namespace {

// The largest capacity of a plain counter. Sums of many charges and of the
// counter's value stay exact in a double.
constexpr int64_t kMaxPlainAmount = int64_t{1} << 40;

// The most counters of one script call. Lua cannot pass more arguments to one
// command.
constexpr size_t kMaxScriptCallKeys = 4000;

// Whether a charge needs only a plain counter, whose value in Redis is just a
// number: a fixed window without banked units, and a positive cost that is
// refused when the window is full.
bool IsPlain(const Charge& charge) {
  const Policy& policy = *charge.policy;
  const int64_t capacity = policy.limit + policy.burst;
  return policy.algorithm == Algorithm::kFixedWindow &&
         policy.calendar == Calendar::kNone && !policy.queue &&
         (policy.burst == 0 || policy.burst_mode == BurstMode::kUpfront) &&
         (charge.kind == ChargeKind::kEnforce ||
          charge.kind == ChargeKind::kObserve) &&
         charge.cost > 0 &&
         // A larger cost could be refused while the counter does not exist. The
         // refusal would then leave a counter behind.
         charge.cost <= capacity && capacity <= kMaxPlainAmount;
}

Script ScriptFor(const PendingTake& take) {
  if (take.needs_take_lua || take.denied() ||
      !std::all_of(take.charges.begin(), take.charges.end(), IsPlain)) {
    return Script::kTake;
  }
  if (take.charges.size() == 1) return Script::kFixed;
  // Two charges of one counter see each other: only take.lua can do that.
  return take.keys.size() == take.charges.size() ? Script::kSeveral
                                                 : Script::kTake;
}

std::unique_ptr<ScriptCall> NewScriptCall(Script script, PendingTakes takes,
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

// Takes with equal groups may share a script call.
auto Group(const PendingTake& take) {
  return std::tuple(take.slot, take.asking, take.alone,
                    take.alone ? absl::MakeConstSpan(take.keys)
                               : absl::Span<const std::string>());
}

// Makes the script calls for takes of one group.
void AddScriptCalls(absl::Span<std::unique_ptr<PendingTake>> takes,
                    absl::Time now,
                    std::vector<std::unique_ptr<ScriptCall>>& script_calls) {
  struct Gathered {
    PendingTakes takes;
    size_t keys = 0;
  };
  std::array<Gathered, kScripts> gathered;
  const auto make = [&](size_t script) {
    Gathered whole = std::exchange(gathered[script], {});
    script_calls.push_back(NewScriptCall(static_cast<Script>(script),
                                         std::move(whole.takes), now));
  };
  for (std::unique_ptr<PendingTake>& take : takes) {
    const auto script = static_cast<size_t>(ScriptFor(*take));
    Gathered& into = gathered[script];
    if (!into.takes.empty() &&
        into.keys + take->keys.size() > kMaxScriptCallKeys) {
      make(script);
    }
    into.keys += take->keys.size();
    into.takes.push_back(std::move(take));
  }
  for (size_t script = 0; script < gathered.size(); ++script) {
    if (!gathered[script].takes.empty()) make(script);
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

absl::string_view ScriptCall::Word(size_t index) const {
  absl::string_view rest = words_;
  while (true) {
    const size_t end = rest.find("\r\n");
    size_t size = 0;
    const bool is_size = absl::SimpleAtoi(rest.substr(1, end - 1), &size);
    if (!is_size) return "";
    rest.remove_prefix(end + 2);
    if (index-- == 0) return rest.substr(0, size);
    rest.remove_prefix(size + 2);
  }
}

std::optional<absl::Time> ScriptCall::ReadHead(
    PackedReader& reader, CounterListener& listener) const {
  if (reader.left() < 2) return std::nullopt;
  const absl::Time now = reader.Microseconds();
  const int64_t repaired = reader.Integer();
  if (repaired == 0) return now;
  size_t keys = 0;
  const bool has_keys = absl::SimpleAtoi(Word(0), &keys);
  if (!has_keys || repaired < 0 ||
      static_cast<size_t>(repaired) > reader.left()) {
    return std::nullopt;
  }
  size_t last = 0;
  for (int64_t i = 0; i < repaired; ++i) {
    last = static_cast<size_t>(ClampTo(reader.Integer(), 0, INT32_MAX));
    if (last == 0 || last > keys) return std::nullopt;
  }
  listener.OnRepaired(static_cast<size_t>(repaired), Word(last));
  return now;
}

void ScriptCall::Answer(PendingTake& take, absl::Time now,
                        absl::Span<JudgedCounter> counters,
                        CounterListener& listener) {
  if (take.sub_take != nullptr && take.sub_take->found != nullptr) {
    // The new states are known only when all sub-takes have found theirs.
    for (const Charge& charge : take.charges) listener.OnChanged(charge);
    take.sub_take->found(now, counters);
    return;
  }
  for (JudgedCounter& counter : counters) counter.after = counter.before;
  absl::InlinedVector<Outcome, 4> outcomes(take.charges.size());
  JudgeAll(take.view(), now, counters, absl::MakeSpan(outcomes));
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const JudgedCounter& counter = counters[take.counter_of[i]];
    if (counter.after == counter.before) continue;
    listener.OnChanged(take.charges[i]);
  }
  if (outcomes.size() == 1 && !outcomes[0].allowed &&
      outcomes[0].remaining == 0) {
    listener.OnExhausted(take, counters[0].after, now);
  }
  take.done(absl::MakeConstSpan(outcomes));
}

std::vector<std::unique_ptr<ScriptCall>> MakeScriptCalls(PendingTakes takes,
                                                         absl::Time now) {
  std::vector<std::unique_ptr<ScriptCall>> script_calls;
  if (takes[0]->slot == PendingTake::kNoSlot) {
    AddScriptCalls(absl::MakeSpan(takes), now, script_calls);
    return script_calls;
  }
  std::stable_sort(
      takes.begin(), takes.end(),
      [](const auto& a, const auto& b) { return Group(*a) < Group(*b); });
  for (auto begin = takes.begin(); begin != takes.end();) {
    const auto end = std::find_if(begin, takes.end(), [&](const auto& take) {
      return Group(*take) != Group(**begin);
    });
    AddScriptCalls({&*begin, static_cast<size_t>(end - begin)}, now,
                   script_calls);
    begin = end;
  }
  return script_calls;
}

}  // namespace rls
