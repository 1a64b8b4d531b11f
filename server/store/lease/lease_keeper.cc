#include "store/lease/lease_keeper.h"

#include <algorithm>
#include <utility>

namespace rls {
namespace {

// Many leases may end at once. A turn of the loop handles this many of them.
constexpr size_t kEndsPerTurn = 128;

}  // namespace

LeaseEnds::LeaseEnds(EventLoop& loop, const Clock& clock,
                     absl::AnyInvocable<void(const Hash128&)> ended)
    : loop_(loop),
      clock_(clock),
      ended_(std::move(ended)),
      timer_(loop.NewTimer([this] { OnTimer(); })) {}

void LeaseEnds::Add(const Hash128& counter, absl::Duration at) {
  bool first = false;
  {
    const MutexLock lock(&mutex_);
    first = ends_.empty() || at < ends_.top().at;
    ends_.push({.at = at, .counter = counter});
  }
  if (first) loop_.Post([this] { OnTimer(); });
}

// Runs the callback for the ends that are due, and sets the timer for the next.
void LeaseEnds::OnTimer() {
  const absl::Duration now = clock_.Elapsed();
  std::vector<Hash128> ended;
  {
    const MutexLock lock(&mutex_);
    while (!ends_.empty() && ends_.top().at <= now &&
           ended.size() < kEndsPerTurn) {
      ended.push_back(ends_.top().counter);
      ends_.pop();
    }
    if (!ends_.empty()) {
      timer_->Set(loop_.Now() +
                  absl::ToChronoNanoseconds(
                      std::max(absl::ZeroDuration(), ends_.top().at - now)));
    }
  }
  for (const Hash128& counter : ended) ended_(counter);
}

LeaseKeeper::LeaseKeeper(CounterStore& store, EventLoop& loop,
                         const Clock& clock, Metrics& metrics)
    : store_(store),
      clock_(clock),
      served_(metrics.GetCounter(
          {.name = "ratelimitd_lease_answers_total",
           .help = "Charges answered from leased units, without the store"})),
      leased_(metrics.GetCounter({.name = "ratelimitd_leased_units_total",
                                  .help = "Units leased from the store"})),
      returned_(
          metrics.GetCounter({.name = "ratelimitd_lease_returned_units_total",
                              .help = "Leased units given back unused"})),
      lapsed_(metrics.GetCounter({.name = "ratelimitd_lease_lapsed_units_total",
                                  .help = "Leased units neither used nor given "
                                          "back"})),
      seed_(RandomSeed()),
      ends_(loop, clock,
            [this](const Hash128& counter) { EndLeases(counter); }) {}

LeaseKeeper::Served LeaseKeeper::Serve(const Charge& charge, bool is_only,
                                       Accounting accounting) {
  const absl::Duration now = clock_.Elapsed();
  Served served{.counter = HashKey(seed_, charge.key)};
  BackgroundTakes takes;
  counters_.With(served.counter, [&](Place* place) {
    if (place == nullptr || !MayLease(*place, charge, takes)) return;
    LeasedCounter& counter = place->counter;
    counter.CountDemand(charge.cost, now, charge.lease->ttl);
    served.used = counter.Use(charge.cost, now);
    const bool in_full = served.used.left == charge.cost;
    if (!in_full || !is_only) counter.Retain(served.used);
    if (in_full) {
      served.outcome = counter.ServedOutcome(now);
      served_.Add(1);
      LeaseIfDue(*place, charge, now, takes);
    } else if (is_only && accounting == Accounting::kAllOrNothing &&
               served.used.left == 0) {
      served.outcome = counter.KnownRefusal(charge.cost, now);
    }
  });
  Send(std::move(takes));
  return served;
}

void LeaseKeeper::Release(const Served& served) {
  counters_.WithKnown(served.counter, [&](Place& place) {
    place.counter.Release(served.used);
  });
}

int64_t LeaseKeeper::PutBack(const Served& served, bool store_answers) {
  const absl::Duration now = clock_.Elapsed();
  int64_t remaining = 0;
  // The counter still has its place: retained units keep it busy.
  Change(served.counter, [&](Place& place, BackgroundTakes& takes) {
    LeasedCounter& counter = place.counter;
    counter.Release(served.used);
    const bool is_back = counter.PutBack(served.used, now);
    if (!is_back && store_answers) {
      GiveBack(place, {served.used}, takes);
    } else if (!is_back) {
      lapsed_.Add(static_cast<double>(served.used.left));
    } else if (closed_ && store_answers) {
      GiveBack(place, counter.TakeAll(), takes);
    }
    remaining = counter.ServedOutcome(now).remaining;
  });
  return remaining;
}

void LeaseKeeper::OnAnswer(const Charge& charge, const Served& served,
                           absl::Duration sent_at, Outcome& outcome) {
  const absl::Duration now = clock_.Elapsed();
  Change(served.counter, [&](Place& place, BackgroundTakes& takes) {
    if (!MayLease(place, charge, takes)) return;
    place.counter.OnAnswer(outcome, charge.cost - served.used.left, sent_at);
    if (outcome.allowed) outcome.remaining += place.counter.Left(now);
    LeaseIfDue(place, charge, now, takes);
  });
}

void LeaseKeeper::ReturnAll(absl::AnyInvocable<void()> done) {
  closed_ = true;
  BackgroundTakes takes;
  {
    const MutexLock lock(&mutex_);
    on_idle_ = std::move(done);
    ++pending_takes_;  // so that `done` does not run before all are sent
  }
  counters_.ForEachBusy(
      [&](Place& place) { GiveBack(place, place.counter.TakeAll(), takes); });
  Send(std::move(takes));
  EndTake();
}

// If the counter's limit has changed: returns the leases that were taken under
// the old limit, and leases under the new one when no old lease is left.
bool LeaseKeeper::MayLease(Place& place, const Charge& charge,
                           BackgroundTakes& takes) {
  const Amounts amounts(*charge.policy);
  if (place.amounts == amounts) return true;
  GiveBack(place, place.counter.TakeAll(), takes);
  if (place.busy()) return false;
  place.amounts = amounts;
  place.leased_key.reset();
  place.counter = LeasedCounter();
  return true;
}

void LeaseKeeper::LeaseIfDue(Place& place, const Charge& charge,
                             absl::Duration now, BackgroundTakes& takes) {
  if (closed_) return;
  const int64_t units =
      place.counter.UnitsWanted(*charge.policy, *charge.lease, now);
  if (units == 0) return;
  if (place.leased_key == nullptr) {
    place.leased_key = std::make_unique<const LeasedKey>(charge);
  }
  place.counter.StartLease();
  auto take = std::make_unique<BackgroundTake>();
  take->counter = place.key;
  take->sent_at = now;
  take->terms = *charge.lease;
  take->charge = {.policy = &place.leased_key->policy(),
                  .key = place.leased_key->key(),
                  .cost = units,
                  .refundable = true};
  AddTake(place, std::move(take), takes);
}

void LeaseKeeper::GiveBack(Place& place, const std::vector<Lease>& leases,
                           BackgroundTakes& takes) {
  if (leases.empty()) return;
  // Some units of a bucket may have dripped already; their number is unknown.
  const bool is_bucket =
      place.leased_key->policy().algorithm == Algorithm::kTokenBucket;
  const absl::Duration now = clock_.Elapsed();
  for (const Lease& lease : leases) {
    if (is_bucket || (lease.ends_with_window && now >= lease.usable_until)) {
      lapsed_.Add(static_cast<double>(lease.left));
      continue;
    }
    auto take = std::make_unique<BackgroundTake>();
    take->counter = place.key;
    take->booking.slot = lease.slot;
    take->charge = {.policy = &place.leased_key->policy(),
                    .key = place.leased_key->key(),
                    .cost = -lease.left,
                    .refundable = true,
                    .booking = &take->booking};
    AddTake(place, std::move(take), takes);
  }
}

// Counts the take while the place is still locked. ReturnAll() locks every
// place, so it cannot miss a take that is counted but not sent.
void LeaseKeeper::AddTake(Place& place, std::unique_ptr<BackgroundTake> take,
                          BackgroundTakes& takes) {
  ++place.pending_takes;
  takes.push_back(std::move(take));
  const MutexLock lock(&mutex_);
  ++pending_takes_;
}

// Call this without any lock: the store may answer at once.
void LeaseKeeper::Send(BackgroundTakes takes) {
  for (std::unique_ptr<BackgroundTake>& take : takes) {
    const Charge& charge = take->charge;
    store_.Take({&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
                [this, take = std::move(take)](
                    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
                  OnTaken(*take, outcomes);
                });
  }
}

void LeaseKeeper::OnTaken(
    const BackgroundTake& take,
    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
  // The counter still has its place: a pending take keeps it busy.
  Change(take.counter, [&](Place& place, BackgroundTakes& takes) {
    --place.pending_takes;
    if (take.charge.cost < 0) {
      (outcomes.ok() ? returned_ : lapsed_)
          .Add(static_cast<double>(-take.charge.cost));
      return;
    }
    OnLeased(take, place.counter, outcomes);
    // A store that has failed gets no further take: it may be shutting down.
    if (outcomes.ok() && closed_) {
      GiveBack(place, place.counter.TakeAll(), takes);
    } else if (outcomes.ok()) {
      GiveBack(place, place.counter.TakeEnded(clock_.Elapsed()), takes);
    }
  });
  EndTake();
}

void LeaseKeeper::OnLeased(
    const BackgroundTake& take, LeasedCounter& counter,
    const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
  const int64_t units = take.charge.cost;
  if (!outcomes.ok()) {
    // The store may have charged the units. If answers get lost, each further
    // attempt would lose as many again.
    counter.LoseLease(clock_.Elapsed() + take.terms.ttl);
    lapsed_.Add(static_cast<double>(units));
    return;
  }
  Outcome outcome = (*outcomes)[0];
  std::optional<Lease> lease;
  if (outcome.allowed) {
    const absl::Duration usable =
        UsableFor(*take.charge.policy, take.terms, outcome);
    lease = {.left = units,
             .usable_until = take.sent_at + usable,
             .ends_with_window = usable < take.terms.ttl,
             .slot = outcome.slot};
    leased_.Add(static_cast<double>(units));
  }
  // The store may refuse a whole lease although single units would fit.
  outcome.allowed = true;
  counter.OnAnswer(outcome, units, take.sent_at);
  counter.EndLease(lease);
}

void LeaseKeeper::Change(
    const Hash128& counter,
    absl::FunctionRef<void(Place&, BackgroundTakes&)> change) {
  BackgroundTakes takes;
  std::optional<absl::Duration> end;
  counters_.WithKnown(counter, [&](Place& place) {
    change(place, takes);
    end = place.AwaitNextEnd();
  });
  Send(std::move(takes));
  if (end.has_value()) ends_.Add(counter, *end);
}

void LeaseKeeper::EndLeases(const Hash128& counter) {
  Change(counter, [&](Place& place, BackgroundTakes& takes) {
    place.awaits_end = false;
    GiveBack(place, place.counter.TakeEnded(clock_.Elapsed()), takes);
  });
}

void LeaseKeeper::EndTake() {
  absl::AnyInvocable<void()> on_idle;
  {
    const MutexLock lock(&mutex_);
    --pending_takes_;
    if (pending_takes_ > 0 || on_idle_ == nullptr) return;
    on_idle = std::exchange(on_idle_, nullptr);
  }
  on_idle();
}

}  // namespace rls
