#ifndef RLS_STORE_REDIS_SCRIPT_CALL_H_
#define RLS_STORE_REDIS_SCRIPT_CALL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "store_redis/pending_take.h"

namespace rls {

// The scripts, by the order in which a connection loads them.
enum class Script { kFixed, kTake };
inline constexpr int kScripts = 2;

// The source of a script: server/store_redis/scripts/*.lua.
absl::string_view ScriptSource(Script script);

// Who wants to hear of counters that have run out.
class Exhausted {
 public:
  virtual ~Exhausted() = default;
  // The only charge of `take` was refused at `now` of Redis, in this state, and
  // nothing is left.
  virtual void OnExhausted(const PendingTake& take, const CounterState& state,
                           absl::Time now) = 0;
};

// One call of a script for many takes.
//
// Threads: its loop's only.
class ScriptCall {
 public:
  virtual ~ScriptCall() = default;

  virtual Script script() const = 0;

  // The command, for a server that knows the script as `sha`.
  virtual void AppendTo(absl::string_view sha, std::string& out) const = 0;

  // Answers every take from the reply's bytes. Gives back those that need
  // another round, with what it must do differently; nothing was charged for
  // them. UNAVAILABLE when the bytes are not what the script gives; then no
  // take was answered.
  virtual absl::StatusOr<PendingTakes> OnReply(absl::string_view packed,
                                               Exhausted& exhausted) = 0;

  // The takes that wait for this call; a null one has been answered.
  virtual PendingTakes& takes() = 0;
};

// A fixed window without a bank: its state is one number.
bool IsPlain(const Policy& policy);

// Whether fixed.lua can do it.
bool FitsFixedCall(const PendingTake& take);

// Makes the calls for `takes`, the fewest there can be. `now` is about the time
// of Redis, for calendar windows; a take that knows better says so.
std::vector<std::unique_ptr<ScriptCall>> MakeCalls(PendingTakes takes,
                                                   absl::Time now);

// One call of fixed.lua, for takes that it can do.
std::unique_ptr<ScriptCall> NewFixedCall(PendingTakes takes);
// One call of take.lua, for any takes.
std::unique_ptr<ScriptCall> NewTakeCall(PendingTakes takes, absl::Time now);

// Counters of one call at most: Lua cannot hand more to one command.
inline constexpr size_t kMaxCallKeys = 4000;

}  // namespace rls

#endif  // RLS_STORE_REDIS_SCRIPT_CALL_H_
