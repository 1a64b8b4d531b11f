#ifndef RLS_STORE_REDIS_SPLIT_TAKE_H_
#define RLS_STORE_REDIS_SPLIT_TAKE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "net/event_loop.h"
#include "store/judge_all.h"
#include "store_redis/pending_take.h"

namespace rls {

// The place of each value among the different ones, counted from the smallest.
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

// A take whose counters no single call can reach: it is taken part by part.
//
// The parts that may refuse it go one after the other, then the rest at once.
// Every process has the same order of parts, so two takes that want the same
// counters cannot refuse each other: who is refused by what another one has
// taken for a moment is refused by one that gets farther.
// When one refuses, or fails, what was taken before is given back, and the rest
// is asked as for a take that has been denied. So it may be that others are
// refused for the time of a call, but never that more is let through. What a
// part took that has failed is not known and not given back, nor is what cannot
// be given back within the command timeout.
//
// Its caller is told what JudgeAll() makes of the states that the parts found,
// as if they had been found at one time.
//
// Threads: its loop's only.
class SplitTake {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Sends a part; never answers it before it returns.
    virtual void SendPart(std::unique_ptr<PendingTake> part) = 0;
    // All is answered: it may be destroyed now.
    virtual void OnOver(SplitTake& take) = 0;
  };

  // `part_of` says for each key of `take` to which part it belongs: numbers
  // from 0 without a gap, in the order in which all takes have their parts. The
  // loop and `owner` must outlive it.
  SplitTake(std::unique_ptr<PendingTake> take, absl::Span<const size_t> part_of,
            EventLoop& loop, SteadyDuration command_timeout, Owner& owner);
  SplitTake(const SplitTake&) = delete;
  SplitTake& operator=(const SplitTake&) = delete;

  void Begin() { GoOn(); }

 private:
  struct Part {
    std::vector<size_t> numbers;  // of its charges, in the whole take
    std::vector<Charge> charges;
    absl::InlinedVector<std::string, 2> keys;
    absl::InlinedVector<size_t, 2> counter_of;  // charges[i] -> keys[...]
    bool decides = false;  // has a charge that can refuse the whole
    bool sent = false;
    bool denied = false;  // sent when the whole was denied already
    // What it found; `before` of each key, and empty until then.
    absl::Time now;
    std::vector<CounterState> before;
  };
  struct Judged {
    std::vector<JudgedCounter> counters;
    std::vector<Outcome> outcomes;
  };
  using Parts = std::list<Part>;

  // As of the constructor; those that decide come first.
  Parts Divide(Part whole, absl::Span<const size_t> part_of) const;
  void GoOn();
  void Send(Parts::iterator part);
  void OnScattered(Parts::iterator part);
  void OnFound(Part& part, absl::Time now,
               absl::Span<const JudgedCounter> counters);
  void GiveBackAll();
  void OnFailed(const absl::Status& status);
  Judged Judge(const Part& part, bool denied) const;
  bool Refuses(const Part& part) const;
  void GiveBackPart(const Part& part);
  void SendGiveBack(const std::string& key, const Policy& policy, int64_t cost,
                    const GiveBack& states);
  void Conclude();
  void Answer();

  std::unique_ptr<PendingTake> take_;  // null once answered
  EventLoop& loop_;
  const SteadyDuration command_timeout_;
  Owner& owner_;
  const SteadyTime answer_by_;
  const Accounting accounting_;
  Parts parts_;
  bool denied_ = false;
  absl::Status failure_;
  size_t parts_out_ = 0;
  size_t give_backs_out_ = 0;
  // Answers when what is given back takes too long.
  std::unique_ptr<EventLoop::Timer> timer_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_SPLIT_TAKE_H_
