#include "tiers/tier_flights.h"

#include <utility>

namespace rls {

bool TierFlights::is_paused() const {
  const int64_t until_ns = paused_until_ns_.load(std::memory_order_relaxed);
  return until_ns != 0 &&
         dependencies_.clock.Elapsed() < absl::Nanoseconds(until_ns);
}

void TierFlights::PauseFor(absl::Duration duration) {
  paused_until_ns_ =
      absl::ToInt64Nanoseconds(dependencies_.clock.Elapsed() + duration);
}

void TierFlights::Join(Lookup lookup) {
  if (Flight* flight = FindFlight(lookup.user)) {
    Wait(std::move(lookup), flight->waiters);
  } else if (is_paused()) {
    const Result paused = Skip(LookupResult::kPaused);
    if (lookup.done) lookup.done(paused);
  } else {
    Begin(std::move(lookup));
  }
}

void TierFlights::JoinNext(Lookup lookup) {
  Flight* const flight = FindFlight(lookup.user);
  if (flight == nullptr) {
    Begin(std::move(lookup));
  } else {
    Wait(std::move(lookup), flight->is_flying ? flight->next : flight->waiters);
  }
}

TierFlights::Result TierFlights::Skip(LookupResult why) {
  dependencies_.metrics.Count(why);
  return absl::AbortedError(
      why == LookupResult::kBusy
          ? "too many requests to the tier source are under way"
          : "the tier source has failed too often");
}

TierFlights::Flight* TierFlights::FindFlight(const std::string& user) {
  const auto it = flights_.find(user);
  return it == flights_.end() ? nullptr : it->second.get();
}

void TierFlights::Begin(Lookup lookup) {
  const bool has_room = flying_ < dependencies_.max_concurrent;
  if (!has_room && queue_.size() >= kMaxQueued) {
    const Result busy = Skip(LookupResult::kBusy);
    if (lookup.done) lookup.done(busy);
    return;
  }
  Flight& flight =
      *flights_.emplace(lookup.user, std::make_unique<Flight>()).first->second;
  flight.user = lookup.user;
  flight.url = lookup.url;
  flight.queued_at = dependencies_.loop.Now();
  Wait(std::move(lookup), flight.waiters);
  if (has_room) {
    Fly(flight);
  } else {
    queue_.push_back(&flight);
  }
}

void TierFlights::Wait(Lookup lookup, Waiters& waiters) {
  if (!lookup.done) return;
  Waiter& waiter = waiters.emplace_back();
  waiter.done = std::move(lookup.done);
  // The reference stays valid until the flight has landed: splicing or moving a
  // list does not move its elements.
  waiter.timer = dependencies_.loop.NewTimer([&waiter] {
    if (auto done = std::exchange(waiter.done, nullptr)) {
      done(absl::DeadlineExceededError("no response in time"));
    }
  });
  waiter.timer->Set(dependencies_.loop.Now() + lookup.max_wait);
}

void TierFlights::Fly(Flight& flight) {
  ++flying_;
  flight.is_flying = true;
  if (failures_ >= kFailuresToPause) {
    // This flight is the trial. There is no second trial before it has landed.
    PauseFor(dependencies_.timeout + kPause);
  }
  dependencies_.fetch(flight.url, [this, &flight](const Result& result) {
    Land(flight, result);
  });
}

void TierFlights::Land(Flight& flight, const Result& result) {
  --flying_;
  CountFailures(result);
  dependencies_.landed(flight.user, result);
  Waiters waiters = std::move(flight.waiters);
  if (absl::IsCancelled(result.status())) {
    waiters.splice(waiters.end(), flight.next);
    while (!queue_.empty()) DropFirst(result);
  }
  if (flight.next.empty()) {
    flights_.erase(flight.user);
    FlyQueued();
  } else {
    flight.waiters = std::move(flight.next);
    flight.next.clear();
    Fly(flight);
  }
  Answer(waiters, result);
}

void TierFlights::CountFailures(const Result& result) {
  const bool failed = absl::IsUnavailable(result.status()) ||
                      absl::IsDeadlineExceeded(result.status());
  failures_ = failed ? failures_ + 1 : 0;
  if (failures_ < kFailuresToPause) {
    paused_until_ns_ = 0;
  } else {
    PauseFor(kPause);
  }
}

void TierFlights::FlyQueued() {
  while (!queue_.empty() && flying_ < dependencies_.max_concurrent) {
    Flight& flight = *queue_.front();
    // The lookups of a flight that is older than the timeout have given up.
    const bool is_late =
        absl::FromChrono(dependencies_.loop.Now() - flight.queued_at) >
        dependencies_.timeout;
    if (!is_late && !is_paused()) {
      queue_.pop_front();
      Fly(flight);
    } else {
      DropFirst(Skip(is_late ? LookupResult::kBusy : LookupResult::kPaused));
    }
  }
}

void TierFlights::DropFirst(const Result& result) {
  const auto dropped = flights_.extract(queue_.front()->user);
  queue_.pop_front();
  Answer(dropped.mapped()->waiters, result);
}

void TierFlights::Answer(Waiters& waiters, const Result& result) {
  for (Waiter& waiter : waiters) {
    if (auto done = std::exchange(waiter.done, nullptr)) done(result);
  }
}

}  // namespace rls
