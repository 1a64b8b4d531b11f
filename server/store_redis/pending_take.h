#ifndef RLS_STORE_REDIS_PENDING_TAKE_H_
#define RLS_STORE_REDIS_PENDING_TAKE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limit/judge.h"
#include "net/event_loop.h"
#include "store/counter_store.h"
#include "store/judge_all.h"

namespace rls {

// What a take made of a counter, and what it should have made.
struct GiveBack {
  CounterState made;
  CounterState kept;
};

// What a part of a SplitTake has beyond a take of its own.
struct TakePart {
  // Hears the time of Redis and the states before it, in place of `done`, which
  // still hears of a failure. Null in a give-back.
  absl::AnyInvocable<void(absl::Time now, absl::Span<const JudgedCounter>)>
      found;
  // Nothing was done, as no call can reach all its keys: in place of `done`.
  absl::AnyInvocable<void()> scattered;
  bool denied = false;  // as of TakeView
  // Its only charge is what is given back, so a negative cost. The counter
  // becomes `kept` if it still is `made`; else it gets back what can have no
  // effect on others: nothing of a window that is over, nor what a bucket would
  // have dripped meanwhile.
  std::optional<GiveBack> give_back;
};

// One Take, or a part of one, on its way to Redis and back. Who destroys it
// must have answered it.
struct PendingTake {
  absl::Span<const Charge> charges;  // the caller's, until `done` has run
  Accounting accounting = Accounting::kAllOrNothing;
  CounterStore::TakeCallback done;

  absl::InlinedVector<std::string, 2> keys;   // of each counter once
  absl::InlinedVector<size_t, 2> counter_of;  // charges[i] -> keys[...]

  absl::Duration asked_at;  // Clock::Elapsed()
  // When it is answered at the latest, and with what: its caller's deadline, or
  // the command timeout.
  SteadyTime answer_by;
  bool by_caller = false;

  // What another round must do differently: see ScriptCall::OnReply().
  bool needs_general = false;
  std::optional<absl::Time> calendar_now;

  // In a cluster: where all its keys are. See ClusterRouter.
  static constexpr int kNoSlot = -1;
  int slot = kNoSlot;
  bool asking = false;  // the server may not have taken the slot over yet
  bool alone = false;   // in calls with no other key than its own
  int redirects = 0;
  std::unique_ptr<TakePart> part;  // null in a whole take

  bool denied() const { return part != nullptr && part->denied; }
  const GiveBack* give_back() const {
    return part != nullptr && part->give_back.has_value() ? &*part->give_back
                                                          : nullptr;
  }

  TakeView view() const { return {charges, accounting, counter_of, denied()}; }

  void Fail(const absl::Status& status) { done(status); }
  // Not answered in time: nothing is known of what was sent.
  void Expire() {
    done(by_caller ? absl::DeadlineExceededError("the deadline has passed")
                   : absl::UnavailableError("Redis did not answer in time"));
  }
};

using PendingTakes = std::vector<std::unique_ptr<PendingTake>>;

}  // namespace rls

#endif  // RLS_STORE_REDIS_PENDING_TAKE_H_
