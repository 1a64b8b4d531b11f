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
#include "net/event_loop.h"
#include "store/counter_store.h"
#include "store/judge_all.h"

namespace rls {

// One Take on its way to Redis and back. Who destroys it must have answered it.
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

  TakeView view() const { return {charges, accounting, counter_of}; }

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
