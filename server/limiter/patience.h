#ifndef RLS_LIMITER_PATIENCE_H_
#define RLS_LIMITER_PATIENCE_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "base/clock.h"
#include "limiter/decision.h"
#include "metrics/metrics.h"

namespace rls {

// Of a caller's or the process' time that is left for the answer to get there.
inline constexpr absl::Duration kAnswerTime = absl::Milliseconds(10);

// How long requests may be held: never past their deadline, nor past the end of
// the process, not at all when nobody would be heard going away or too many are
// held; and what ended the patience of those that are refused.
//
// Threads: every method may be called by many threads at once.
class Patience {
 public:
  // Both must outlive it.
  Patience(const Clock& clock, Metrics& metrics);
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  // The process ends in `grace`.
  void EndIn(absl::Duration grace);

  // Lets `decision` wait, while `held` others are.
  void Give(Decision& decision, int64_t held) const;

  // Counts those that there was no room for in the end.
  Counter& full() const { return max_queued_; }

  // `decision` was refused, and impatient().
  void CountRefusal(const Decision& decision) const;

 private:
  // How long, and what to count when that is too short.
  struct Bound {
    absl::Duration longest;
    Counter& counter;
  };
  Bound BoundOf(const Decision& decision, int64_t held) const;

  const Clock& clock_;
  std::atomic<int64_t> end_ns_{INT64_MAX};  // on clock_.Elapsed()
  Counter& max_wait_;
  Counter& deadline_;
  Counter& max_queued_;
  Counter& per_user_;
  Counter& drain_;
  Counter& cannot_wait_;
};

}  // namespace rls

#endif  // RLS_LIMITER_PATIENCE_H_
