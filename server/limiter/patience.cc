#include "limiter/patience.h"

#include <algorithm>

namespace rls {
namespace {

Counter& Refused(Metrics& metrics, const char* reason) {
  return metrics.GetCounter(
      {.name = "ratelimitd_queue_refused_total",
       .help = "Requests over a limit that queues which were refused at once, "
               "by what did not let them wait",
       .labels = {{"reason", reason}}});
}

}  // namespace

Patience::Patience(const Clock& clock, Metrics& metrics)
    : clock_(clock),
      max_wait_(Refused(metrics, "max_wait")),
      deadline_(Refused(metrics, "deadline")),
      max_queued_(Refused(metrics, "max_queued")),
      per_user_(Refused(metrics, "max_queued_per_user")),
      drain_(Refused(metrics, "drain")),
      cannot_wait_(Refused(metrics, "cannot_wait")) {}

void Patience::EndIn(absl::Duration grace) {
  end_ns_ = absl::ToInt64Nanoseconds(clock_.Elapsed() + grace);
}

void Patience::Give(Decision& decision, int64_t held) const {
  const Bound bound = BoundOf(decision, held);
  decision.LetWait(std::max(bound.longest, absl::ZeroDuration()),
                   bound.counter);
}

Patience::Bound Patience::BoundOf(const Decision& decision,
                                  int64_t held) const {
  const Query& query = decision.query();
  if (query.caller == nullptr) return {absl::ZeroDuration(), cannot_wait_};
  const QueueRule rule = decision.queue_rule();
  if (held >= rule.max_queued) return {absl::ZeroDuration(), max_queued_};
  const absl::Duration to_deadline =
      query.deadline - clock_.Now() - kAnswerTime;
  const absl::Duration to_end =
      absl::Nanoseconds(end_ns_.load()) - clock_.Elapsed();
  const absl::Duration longest = std::min({rule.max_wait, to_deadline, to_end});
  return {longest, longest == to_end        ? drain_
                   : longest == to_deadline ? deadline_
                                            : max_wait_};
}

void Patience::CountRefusal(const Decision& decision) const {
  (decision.crowded() ? per_user_ : decision.too_short()).Add(1);
}

}  // namespace rls
