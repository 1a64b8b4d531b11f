// What a decision does of waiting: books slots, gives them back, and is judged
// again when the wait is over.

#include <algorithm>

#include "limiter/decision.h"

namespace rls {

QueueRule Decision::queue_rule() const {
  QueueRule least{.max_wait = absl::InfiniteDuration(),
                  .max_queued = INT64_MAX,
                  .max_queued_per_user = INT64_MAX};
  for (size_t i = 0; i < charges_.size(); ++i) {
    if (!Queues(charges_[i])) continue;
    const QueueRule& rule = limits_[charged_[i]].status.rule->queue;
    least.max_wait = std::min(least.max_wait, rule.max_wait);
    least.max_queued = std::min(least.max_queued, rule.max_queued);
    least.max_queued_per_user =
        std::min(least.max_queued_per_user, rule.max_queued_per_user);
  }
  return least;
}

void Decision::LetWait(absl::Duration longest, Counter& too_short) {
  waiting_ = std::make_unique<Waiting>();
  waiting_->too_short = &too_short;
  std::vector<Booking>& bookings = waiting_->bookings;
  bookings.reserve(charges_.size());
  const int64_t max_queued = queue_rule().max_queued_per_user;
  for (Charge& charge : charges_) {
    if (!Queues(charge)) continue;
    bookings.push_back({.max_wait = longest, .max_queued = max_queued});
    charge.booking = &bookings.back();
  }
}

void Decision::Book(const Outcome& outcome, size_t charge) {
  if (!outcome.allowed) {
    waiting_->impatient |= outcome.retry_after < absl::InfiniteDuration();
    waiting_->crowded |= outcome.crowded;
    return;
  }
  waiting_->wait = std::max(waiting_->wait, outcome.wait);
  waiting_->booked.push_back({.charge = charge, .slot = outcome.slot});
}

absl::Span<const Charge> Decision::GiveBack(absl::Span<const Booked> booked) {
  std::vector<Booking>& bookings = waiting_->bookings;
  bookings.clear();
  bookings.reserve(booked.size());
  std::vector<Charge>& returned = waiting_->returned;
  returned.clear();
  for (const Booked& one : booked) {
    bookings.push_back({.slot = one.slot});
    Charge& charge = returned.emplace_back(charges_[one.charge]);
    charge.cost = -charge.cost;
    charge.booking = &bookings.back();
  }
  return returned;
}

const Verdict& Decision::Serve() {
  for (LimitStatus& status : verdict_.statuses) {
    status.reset = std::max(absl::ZeroDuration(), status.reset - wait());
  }
  Count();
  return verdict_;
}

const Verdict& Decision::Refuse(absl::Duration retry_after) {
  for (const Booked& one : waiting_->booked) {
    LimitStatus& status = limits_[charged_[one.charge]].status;
    status.over_limit = true;
    status.remaining = 0;
    status.reset = retry_after;
  }
  verdict_.leading = nullptr;
  Conclude();
  Count();
  return verdict_;
}

}  // namespace rls
