#ifndef RLS_STORE_REDIS_SCRIPT_CALL_H_
#define RLS_STORE_REDIS_SCRIPT_CALL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "store_redis/pending_take.h"

namespace rls {

// The scripts, by the order in which a connection loads them.
enum class Script { kFixed, kSeveral, kTake };
inline constexpr int kScripts = 3;

// The source of a script: server/store_redis/scripts/*.lua.
absl::string_view ScriptSource(Script script);

// Who wants to hear of counters that have run out.
class Exhausted {
 public:
  virtual ~Exhausted() = default;
  // The only charge of `take` was refused at `now` of Redis, nothing is left,
  // and the counter is now in this state.
  virtual void OnExhausted(const PendingTake& take, const CounterState& state,
                           absl::Time now) = 0;
  // The counter of `charge` is no longer what was heard of it.
  virtual void OnChanged(const Charge& charge) = 0;
};

// One call of a script for many takes.
//
// Threads: its loop's only.
class ScriptCall {
 public:
  virtual ~ScriptCall() = default;
  ScriptCall(const ScriptCall&) = delete;
  ScriptCall& operator=(const ScriptCall&) = delete;

  Script script() const { return script_; }

  // The command: EVALSHA for a server that knows the script by that name, or
  // EVAL with its source. The takes may be gone meanwhile.
  void AppendTo(absl::string_view command, absl::string_view script,
                std::string& out) const;

  // Answers the takes from the reply's bytes, but for those that need another
  // round and stay in takes(), with what it must do differently; nothing was
  // charged for them. UNAVAILABLE when the bytes are not what the script gives:
  // nothing is known of those that stay then.
  virtual absl::Status OnReply(absl::string_view packed,
                               Exhausted& exhausted) = 0;

  // The takes that wait for this call; a null one has been answered.
  PendingTakes& takes() { return takes_; }

  // As all its takes.
  bool asking() const { return asking_; }

 protected:
  ScriptCall(Script script, PendingTakes takes);

  // A word of the command, behind the script's name.
  void AddWord(absl::string_view word);
  void AddWord(int64_t number);

  // Answers a take whose counters were so before it.
  static void Answer(PendingTake& take, absl::Time now,
                     absl::Span<JudgedCounter> counters, Exhausted& exhausted);

 private:
  const Script script_;
  PendingTakes takes_;
  const bool asking_;
  size_t word_count_ = 0;
  std::string words_;
};

// A charge that is one number to Redis: of a fixed window without a bank, that
// takes units as long as there are any.
bool IsPlain(const Charge& charge);

// Makes the calls for `takes`, the fewest there can be: in a cluster all keys
// of a call are of one slot. `now` is about the time of Redis, for calendar
// windows; a take that knows better says so.
std::vector<std::unique_ptr<ScriptCall>> MakeCalls(PendingTakes takes,
                                                   absl::Time now);

// fixed.lua: one plain charge each.
std::unique_ptr<ScriptCall> NewFixedCall(PendingTakes takes);
// several.lua: several plain charges each, of different counters.
std::unique_ptr<ScriptCall> NewSeveralCall(PendingTakes takes);
// take.lua: any takes.
std::unique_ptr<ScriptCall> NewTakeCall(PendingTakes takes, absl::Time now);

// What fixed.lua and several.lua give of a step that they leave to take.lua.
inline constexpr int64_t kNothingDone = -1;

// Counters of one call at most: Lua cannot hand more to one command.
inline constexpr size_t kMaxCallKeys = 4000;

}  // namespace rls

#endif  // RLS_STORE_REDIS_SCRIPT_CALL_H_
