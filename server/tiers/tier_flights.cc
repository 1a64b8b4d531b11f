#include "tiers/tier_flights.h"

#include <utility>

namespace rls {

bool TierFlights::is_paused() const {
  const auto until = paused_until_.load(std::memory_order_relaxed);
  return until != 0 &&
         std::chrono::steady_clock::now().time_since_epoch().count() < until;
}

void TierFlights::Join(Caller caller) {
  if (Flight* flight = FindFlight(caller.user)) {
    Wait(std::move(caller), flight->waiters);
  } else if (is_paused()) {
    const Reply paused = Skip(LookupResult::kPaused);
    if (caller.done) caller.done(paused);
  } else {
    Begin(std::move(caller));
  }
}

void TierFlights::JoinNext(Caller caller) {
  Flight* const flight = FindFlight(caller.user);
  if (flight == nullptr) {
    Begin(std::move(caller));
  } else {
    Wait(std::move(caller), flight->is_flying ? flight->next : flight->waiters);
  }
}

TierFlights::Reply TierFlights::Skip(LookupResult why) {
  parts_.metrics.Count(why);
  return absl::AbortedError(why == LookupResult::kBusy
                                ? "too many calls are under way"
                                : "the source has failed too often");
}

TierFlights::Flight* TierFlights::FindFlight(const std::string& user) {
  const auto it = flights_.find(user);
  return it == flights_.end() ? nullptr : it->second.get();
}

void TierFlights::Begin(Caller caller) {
  const bool has_room = flying_ < parts_.max_concurrent;
  if (!has_room && queue_.size() >= kMaxQueued) {
    const Reply busy = Skip(LookupResult::kBusy);
    if (caller.done) caller.done(busy);
    return;
  }
  Flight& flight =
      *flights_.emplace(caller.user, std::make_unique<Flight>()).first->second;
  flight.user = caller.user;
  flight.url = caller.url;
  flight.asked_at = parts_.loop.Now();
  Wait(std::move(caller), flight.waiters);
  if (has_room) {
    Fly(flight);
  } else {
    queue_.push_back(&flight);
  }
}

void TierFlights::Wait(Caller caller, Waiters& waiters) {
  if (!caller.done) return;
  Waiter& waiter = waiters.emplace_back();
  waiter.done = std::move(caller.done);
  // It stays in its list, wherever that goes, until the flight has landed.
  waiter.timer = parts_.loop.NewTimer([&waiter] {
    if (auto done = std::exchange(waiter.done, nullptr)) {
      done(absl::DeadlineExceededError("no reply in time"));
    }
  });
  waiter.timer->Set(parts_.loop.Now() + caller.patience);
}

void TierFlights::Fly(Flight& flight) {
  ++flying_;
  flight.is_flying = true;
  if (failures_ >= kFailuresToPause) {
    // This is the trial; until it has landed there is no other.
    const SteadyTime until = parts_.loop.Now() + parts_.timeout + kPause;
    paused_until_ = until.time_since_epoch().count();
  }
  parts_.call(flight.url,
              [this, &flight](const Reply& reply) { Land(flight, reply); });
}

void TierFlights::Land(Flight& flight, const Reply& reply) {
  --flying_;
  CountFailures(reply);
  parts_.landed(flight.user, reply);
  Waiters waiters = std::move(flight.waiters);
  if (absl::IsCancelled(reply.status())) {
    waiters.splice(waiters.end(), flight.next);
    while (!queue_.empty()) DropFirst(reply);
  }
  if (flight.next.empty()) {
    flights_.erase(flight.user);
    FlyQueued();
  } else {
    flight.waiters = std::move(flight.next);
    flight.next.clear();
    Fly(flight);
  }
  Answer(waiters, reply);
}

void TierFlights::CountFailures(const Reply& reply) {
  const bool failed = absl::IsUnavailable(reply.status()) ||
                      absl::IsDeadlineExceeded(reply.status());
  failures_ = failed ? failures_ + 1 : 0;
  const SteadyTime until = parts_.loop.Now() + kPause;
  paused_until_ =
      failures_ < kFailuresToPause ? 0 : until.time_since_epoch().count();
}

void TierFlights::FlyQueued() {
  while (!queue_.empty() && flying_ < parts_.max_concurrent) {
    Flight& flight = *queue_.front();
    // Nobody waits any more for what has waited for its turn so long.
    const bool is_late = parts_.loop.Now() - flight.asked_at > parts_.timeout;
    if (!is_late && !is_paused()) {
      queue_.pop_front();
      Fly(flight);
    } else {
      DropFirst(Skip(is_late ? LookupResult::kBusy : LookupResult::kPaused));
    }
  }
}

void TierFlights::DropFirst(const Reply& reply) {
  const auto dropped = flights_.extract(queue_.front()->user);
  queue_.pop_front();
  Answer(dropped.mapped()->waiters, reply);
}

void TierFlights::Answer(Waiters& waiters, const Reply& reply) {
  for (Waiter& waiter : waiters) {
    if (auto done = std::exchange(waiter.done, nullptr)) done(reply);
  }
}

}  // namespace rls
