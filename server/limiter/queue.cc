#include "limiter/queue.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "limiter/waiting_room.h"
#include "rules/domain_spec.h"

namespace rls {
namespace {

struct QueueState final : StepState {
  // Counts the request if it is refused because its wait would be too long.
  Counter* too_short = nullptr;
  int64_t max_queued = 0;
  std::vector<Booking> bookings;  // the charges point into it
};

// Whether the charge may wait if it does not fit now.
bool Queues(const Charge& charge) {
  return charge.policy->queue && charge.kind == ChargeKind::kEnforce &&
         charge.cost > 0;
}

// The bounds that hold for all limits of the request that queue.
QueueRule LeastOf(const Demand& request) {
  QueueRule least{.max_wait = absl::InfiniteDuration(),
                  .max_queued = INT64_MAX,
                  .max_queued_per_user = INT64_MAX};
  for (size_t i = 0; i < request.charges().size(); ++i) {
    if (!Queues(request.charges()[i])) continue;
    const QueueRule& rule = request.limit(i).status.rule->queue;
    least.max_wait = std::min(least.max_wait, rule.max_wait);
    least.max_queued = std::min(least.max_queued, rule.max_queued);
    least.max_queued_per_user =
        std::min(least.max_queued_per_user, rule.max_queued_per_user);
  }
  return least;
}

Counter& Refused(Metrics& metrics, const char* reason) {
  return metrics.GetCounter(
      {.name = "ratelimitd_queue_refused_total",
       .help = "Requests over a limit that queues which were refused at once, "
               "by what did not let them wait",
       .labels = {{"reason", reason}}});
}

class QueueImpl final : public Queue {
 public:
  explicit QueueImpl(const QueueDependencies& dependencies)
      : flow_(dependencies.flow),
        clock_(dependencies.clock),
        max_wait_(Refused(dependencies.metrics, "max_wait")),
        deadline_(Refused(dependencies.metrics, "deadline")),
        max_queued_(Refused(dependencies.metrics, "max_queued")),
        per_user_(Refused(dependencies.metrics, "max_queued_per_user")),
        drain_(Refused(dependencies.metrics, "drain")),
        cannot_wait_(Refused(dependencies.metrics, "cannot_wait")),
        room_(dependencies.flow, dependencies.loop, dependencies.store,
              dependencies.metrics) {}

  // Before the take: charges that queue get a booking with their longest wait.
  bool Concerns(const Demand& request) const override {
    const absl::Span<const Charge> charges = request.charges();
    return std::any_of(charges.begin(), charges.end(), Queues);
  }
  void Run(Demand request) override {
    LetWait(request);
    flow_.Proceed(std::move(request));
  }

  // After the take: holds the request if it has booked a later slot.
  bool Concerns(const Taken& request) const override {
    return request.FindState<QueueState>(this) != nullptr;
  }
  void Run(Taken request) override {
    const auto* const state = request.FindState<QueueState>(this);
    std::vector<BookedSlot> booked;
    absl::Duration wait;
    bool has_later_slot = false;
    bool is_crowded = false;
    for (size_t i = 0; i < request.outcomes().size(); ++i) {
      if (request.charges()[i].booking == nullptr) continue;
      const Outcome& outcome = request.outcomes()[i];
      if (outcome.allowed) {
        wait = std::max(wait, outcome.wait);
        booked.push_back({.charge = i, .slot = outcome.slot});
      } else {
        has_later_slot |= outcome.retry_after < absl::InfiniteDuration();
        is_crowded |= outcome.crowded;
      }
    }
    if (wait > absl::ZeroDuration()) {
      const int64_t max_queued = state->max_queued;
      room_.Hold({.request = std::move(request),
                  .booked = std::move(booked),
                  .wait = wait},
                 max_queued, max_queued_);
      return;
    }
    if (has_later_slot && request.is_over_limit()) {
      (is_crowded ? per_user_ : *state->too_short).Add(1);
    }
    flow_.Proceed(std::move(request));
  }

  void Drain(absl::Duration grace) override {
    const absl::Duration left =
        std::max(absl::ZeroDuration(), grace - kAnswerTime);
    end_ns_ = absl::ToInt64Nanoseconds(clock_.Elapsed() + left);
    room_.Drain(left);
  }

  void Recheck(std::shared_ptr<const RuleBook> rules) override {
    room_.Recall([rules = std::move(rules)](const Taken& request) {
      return rules->Find(request.query().domain) != &request.domain();
    });
  }

 private:
  // The longest allowed wait, and the counter of requests that would have to
  // wait longer.
  struct Bound {
    absl::Duration longest;
    Counter& too_short;
  };

  void LetWait(Demand& request) {
    const QueueRule rule = LeastOf(request);
    const Bound bound = BoundOf(request.query(), rule);
    QueueState& state = request.MakeState<QueueState>(this);
    state.too_short = &bound.too_short;
    state.max_queued = rule.max_queued;
    state.bookings.reserve(request.charges().size());
    for (size_t i = 0; i < request.charges().size(); ++i) {
      if (!Queues(request.charges()[i])) continue;
      state.bookings.push_back(
          {.max_wait = std::max(bound.longest, absl::ZeroDuration()),
           .max_queued = rule.max_queued_per_user});
      request.charge(i).booking = &state.bookings.back();
    }
  }

  Bound BoundOf(const Query& query, const QueueRule& rule) const {
    if (query.caller == nullptr) return {absl::ZeroDuration(), cannot_wait_};
    if (room_.held() >= rule.max_queued) {
      return {absl::ZeroDuration(), max_queued_};
    }
    const absl::Duration to_deadline =
        query.deadline - clock_.Now() - kAnswerTime;
    const absl::Duration to_end =
        absl::Nanoseconds(end_ns_.load()) - clock_.Elapsed();
    const absl::Duration longest =
        std::min({rule.max_wait, to_deadline, to_end});
    return {longest, longest == to_end        ? drain_
                     : longest == to_deadline ? deadline_
                                              : max_wait_};
  }

  Flow& flow_;
  const Clock& clock_;
  std::atomic<int64_t> end_ns_{INT64_MAX};  // on clock_.Elapsed()
  Counter& max_wait_;
  Counter& deadline_;
  Counter& max_queued_;
  Counter& per_user_;
  Counter& drain_;
  Counter& cannot_wait_;
  WaitingRoom room_;
};

}  // namespace

std::unique_ptr<Queue> NewQueue(const QueueDependencies& dependencies) {
  return std::make_unique<QueueImpl>(dependencies);
}

}  // namespace rls
