#ifndef RLS_STORE_REDIS_SPLIT_TAKE_H_
#define RLS_STORE_REDIS_SPLIT_TAKE_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/types/span.h"
#include "net/event_loop.h"
#include "store/redis/script_call.h"

namespace rls {

// The rank of each value among the different values, beginning with 0 for the
// smallest value.
template <typename T>
std::vector<size_t> RanksOf(absl::Span<const T> values) {
  std::vector<T> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<size_t> ranks;
  for (const T& value : values) {
    const auto it = std::lower_bound(sorted.begin(), sorted.end(), value);
    ranks.push_back(static_cast<size_t>(it - sorted.begin()));
  }
  return ranks;
}

class SplitTake;

// The takes of a router whose counters no single script call can reach. Each
// is split into sub-takes.
//
// The sub-takes that can refuse the take are sent one after the other; then all
// others are sent together. All processes use the same order, so two takes
// cannot block each other: a take is refused only because of units held by a
// take that is ahead of it.
//
// If a sub-take refuses or fails, the earlier sub-takes are given back, and the
// remaining sub-takes are sent as denied (see TakeView). Other takes may
// therefore be refused for the duration of a script call, but the limits are
// never exceeded. Two things are not given back: the charges of a failed
// sub-take, because it is unknown whether they were made, and a give-back that
// Redis does not confirm within the command timeout.
//
// The outcomes are those of JudgeAll() on the states that all sub-takes found,
// as if the states had been read at one moment.
//
// This class also queues takes that cannot be sent immediately, because a
// pipeline must finish its callback first.
//
// Threads: the loop's only.
class SplitTakes {
 public:
  // `flush` runs in a task of the loop soon after each Later(). It must send
  // the takes from TakeDue(). The loop must outlive this object.
  SplitTakes(EventLoop& loop, SteadyDuration command_timeout,
             absl::AnyInvocable<void()> flush);
  ~SplitTakes();
  SplitTakes(const SplitTakes&) = delete;
  SplitTakes& operator=(const SplitTakes&) = delete;

  // Splits a take. TakeDue() returns its sub-takes. `sub_take_of[i]` is the
  // number of the sub-take of keys[i]: numbers from 0 without a gap, in the
  // order that all takes share.
  void Split(std::unique_ptr<PendingTake> take,
             absl::Span<const size_t> sub_take_of);

  void Later(std::unique_ptr<PendingTake> take);
  void FlushLater();

  // The takes to send now. Expires the takes that are too late. Empty if there
  // is nothing to send.
  PendingTakes TakeDue();

  // Fails the takes that have not been sent. Call it when no sent take waits
  // for an answer any more.
  void FailAll();

  // Whether no split take is in progress.
  bool empty() const { return splits_.empty(); }

 private:
  friend class SplitTake;  // one take in progress

  EventLoop& loop_;
  const SteadyDuration command_timeout_;
  absl::AnyInvocable<void()> flush_;
  absl::flat_hash_map<SplitTake*, std::unique_ptr<SplitTake>> splits_;
  PendingTakes later_;
  bool flush_posted_ = false;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_SPLIT_TAKE_H_
