#ifndef RLS_STORE_REDIS_SCRIPT_CALL_H_
#define RLS_STORE_REDIS_SCRIPT_CALL_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/algorithms.h"
#include "limit/charge.h"
#include "limit/judge.h"
#include "net/event_loop.h"
#include "store/counter_store.h"
#include "store/judge_all.h"

namespace rls {

// The two states that a give-back needs: `made` is the state after the charge,
// `kept` is the state that the counter should have instead.
struct GiveBack {
  CounterState made;
  CounterState kept;
};

// The additional state of a sub-take: see split_take.h.
struct SubTakeHooks {
  // Receives the time of Redis and the counter states before the sub-take.
  // Replaces `done` on success; `done` still reports failures. Null in a
  // give-back.
  absl::AnyInvocable<void(absl::Time now, absl::Span<const JudgedCounter>)>
      found;
  // Runs instead of `done` if no script call can reach all keys of the
  // sub-take. Redis has changed nothing.
  absl::AnyInvocable<void()> scattered;
  bool denied = false;  // see TakeView
  // Set in a give-back. A give-back has one charge with a negative cost. If the
  // counter is still in the state `made`, it becomes `kept`. Otherwise the cost
  // is subtracted, but only as far as no other charge is affected: nothing of a
  // window that has ended, and nothing that a bucket has dripped meanwhile.
  std::optional<GiveBack> give_back;
};

// A take, or a sub-take, on its way to Redis and back.
//
// Lifetime: must be answered (`done`, or a hook of `sub_take`) before it is
// destroyed.
struct PendingTake {
  absl::Span<const Charge> charges;  // valid until `done` runs
  Accounting accounting = Accounting::kAllOrNothing;
  CounterStore::TakeCallback done;

  absl::InlinedVector<std::string, 2> keys;   // one for each different counter
  absl::InlinedVector<size_t, 2> counter_of;  // charges[i] -> keys[...]

  absl::Duration taken_at;    // Clock::Elapsed() at the start of Take()
  absl::Duration time_limit;  // since taken_at; the loop sets answer_by from it
  // The time limit is the command timeout or, if it is sooner, the caller's
  // deadline (by_caller).
  SteadyTime answer_by;
  bool by_caller = false;

  // Set by ScriptCall::OnReply() for a take that needs another round.
  bool needs_take_lua = false;             // only take.lua can serve the take
  std::optional<absl::Time> calendar_now;  // the time of Redis for the bounds

  // In a Redis Cluster: the hash slot of all keys. See NewRouter().
  static constexpr int kNoSlot = -1;
  int slot = kNoSlot;
  bool asking = false;  // send ASKING first: the slot is still being imported
  bool alone = false;   // share a script call only with takes of the same keys
  int redirects = 0;
  std::unique_ptr<SubTakeHooks> sub_take;  // null in a whole take

  bool denied() const { return sub_take != nullptr && sub_take->denied; }
  const GiveBack* give_back() const {
    return sub_take != nullptr && sub_take->give_back.has_value()
               ? &*sub_take->give_back
               : nullptr;
  }

  TakeView view() const { return {charges, accounting, counter_of, denied()}; }

  void Fail(const absl::Status& status) { done(status); }
  // Answers that the time limit has passed. Redis may have made the charges.
  void Expire() {
    done(by_caller ? absl::DeadlineExceededError("the deadline has passed")
                   : absl::UnavailableError("Redis did not answer in time"));
  }
};

using PendingTakes = std::vector<std::unique_ptr<PendingTake>>;

// The scripts, in the order in which a connection loads them.
enum class Script { kFixed, kSeveral, kTake };
inline constexpr int kScripts = 3;

// The source text of a script: scripts/*.lua.
absl::string_view ScriptSource(Script script);

// Receives news about counters.
class CounterListener {
 public:
  virtual ~CounterListener() = default;
  // Redis refused the only charge of `take` at the time `now` of Redis. The
  // counter has no units left and is now in `state`.
  virtual void OnExhausted(const PendingTake& take, const CounterState& state,
                           absl::Time now) = 0;
  // The counter of `charge` has changed: its last reported state is outdated.
  virtual void OnChanged(const Charge& charge) = 0;
  // A script call has repaired `count` keys, of which `key` is one: each had a
  // value, or a time to live, that no script sets. docs/REDIS.md lists them.
  virtual void OnRepaired(size_t count, absl::string_view key) = 0;
};

// The latest time that a reply can give, in the year 2116. Sums of such a time
// and a duration still fit into 64 bits.
inline constexpr int64_t kLatestNs = INT64_MAX / 2;

// Reads the reply of a script: packed doubles, little endian. Integers up to
// 2^53 are exact. A number that no script produces is replaced by a number
// within kMaxAmount, or by a possible time, so that arithmetic on it is safe.
class PackedReader {
  static_assert(std::endian::native == std::endian::little);

 public:
  explicit PackedReader(absl::string_view text) : text_(text) {}

  size_t left() const { return text_.size() / sizeof(double); }
  bool at_end() const { return text_.empty(); }
  // Whether these numbers are left, and nothing else.
  bool HoldsExactly(size_t numbers) const {
    return text_.size() == sizeof(double) * numbers;
  }

  // Integer() and Microseconds() may be used only while left() > 0.
  int64_t Integer() {
    double value = 0;
    std::memcpy(&value, text_.data(), sizeof(value));
    text_.remove_prefix(sizeof(value));
    constexpr auto kMost = static_cast<double>(kMaxAmount);
    // The comparison is false for a NaN, which becomes the smallest number.
    return static_cast<int64_t>(value > -kMost ? std::min(value, kMost)
                                               : -kMost);
  }
  absl::Time Microseconds() {
    return absl::FromUnixMicros(ClampTo(Integer(), 0, kLatestNs / 1000));
  }

 private:
  absl::string_view text_;
};

// One script call that serves many takes.
//
// Threads: the loop's only.
class ScriptCall {
 public:
  virtual ~ScriptCall() = default;
  ScriptCall(const ScriptCall&) = delete;
  ScriptCall& operator=(const ScriptCall&) = delete;

  Script script() const { return script_; }

  // Appends the command. `command` is EVALSHA and `script` the script's hash on
  // this server, or `command` is EVAL and `script` the source text. Works even
  // if takes have been answered meanwhile.
  void AppendTo(absl::string_view command, absl::string_view script,
                std::string& out) const;

  // Answers the takes from the bytes of the reply. A take that needs another
  // round stays in takes(), with needs_take_lua or calendar_now set; Redis has
  // charged nothing for it.
  //
  // Failure: UNAVAILABLE if the script cannot have produced these bytes. The
  // takes that stay then may or may not have been charged.
  virtual absl::Status OnReply(absl::string_view packed,
                               CounterListener& listener) = 0;

  // The takes that wait for this script call; an answered one is null.
  PendingTakes& takes() { return takes_; }

  // True if the takes need ASKING before the command.
  bool asking() const { return asking_; }

 protected:
  ScriptCall(Script script, PendingTakes takes);

  // Appends an argument to the command.
  void AddWord(absl::string_view word);
  void AddWord(int64_t number);

  // Reads the beginning of each reply: the time of Redis, and the repaired
  // keys, which it reports. nullopt if the script cannot have produced it.
  std::optional<absl::Time> ReadHead(PackedReader& reader,
                                     CounterListener& listener) const;

  // Answers a take from the states of its counters before the take.
  static void Answer(PendingTake& take, absl::Time now,
                     absl::Span<JudgedCounter> counters,
                     CounterListener& listener);

 private:
  // The argument with this index. The first one is the number of keys.
  absl::string_view Word(size_t index) const;

  const Script script_;
  PendingTakes takes_;
  const bool asking_;
  size_t word_count_ = 0;
  std::string words_;
};

// Makes the script calls for `takes`, as few as possible. In a Redis Cluster
// all keys of a script call are in one hash slot. `now` is roughly the time of
// Redis, for calendar windows; PendingTake::calendar_now overrides it.
std::vector<std::unique_ptr<ScriptCall>> MakeScriptCalls(PendingTakes takes,
                                                         absl::Time now);

// fixed.lua: takes of one plain charge.
std::unique_ptr<ScriptCall> NewFixedCall(PendingTakes takes);
// several.lua: takes of several plain charges of different counters.
std::unique_ptr<ScriptCall> NewSeveralCall(PendingTakes takes);
// take.lua: all takes.
std::unique_ptr<ScriptCall> NewTakeCall(PendingTakes takes, absl::Time now);

}  // namespace rls

#endif  // RLS_STORE_REDIS_SCRIPT_CALL_H_
