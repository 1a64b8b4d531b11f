#include "limiter/waiting_room.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

// Slots that are given back at once: half of the takes of one script call.
constexpr size_t kReturnsAtOnce = 128;

// Requests that restart at once, and the pause before the next ones. A store
// could not answer a larger crowd in time.
constexpr int kRestartsAtOnce = 128;
constexpr std::chrono::milliseconds kRestartPause{2};

int64_t CostOf(const HeldRequest& held) {
  return held.request.charges()[held.booked[0].charge].cost;
}

// The counter for which the whole request waits; "" if there are several. Each
// part is preceded by its length, so that two counters never share a text.
std::string CounterOf(const HeldRequest& held) {
  if (held.booked.size() != 1) return "";
  const CounterKey& key = held.request.charges()[held.booked[0].charge].key;
  std::string text(key.scope);
  for (const absl::string_view part : key.parts) {
    absl::StrAppend(&text, " ", part.size(), ":", part);
  }
  return text;
}

// Charges that give slots back. Each points to its booking.
struct Refunds {
  explicit Refunds(const HeldRequest& held) {
    bookings.reserve(held.booked.size());
    charges.reserve(held.booked.size());
    for (const BookedSlot& booked : held.booked) {
      bookings.push_back({.slot = booked.slot});
      Charge& charge =
          charges.emplace_back(held.request.charges()[booked.charge]);
      charge.cost = -charge.cost;
      charge.booking = &bookings.back();
    }
  }

  std::vector<Booking> bookings;
  std::vector<Charge> charges;
};

}  // namespace

void SlotReturns::Add(HeldRequest held, Then then) {
  waiting_.push_back({.held = std::move(held), .then = std::move(then)});
  Send();
}

void SlotReturns::Send() {
  while (!waiting_.empty() && under_way_ < kReturnsAtOnce) {
    Return next = std::move(waiting_.front());
    waiting_.pop_front();
    ++under_way_;
    const Accounting accounting = next.held.request.accounting();
    auto refunds = std::make_unique<const Refunds>(next.held);
    const absl::Span<const Charge> charges = refunds->charges;
    // The outcomes do not matter: a slot that the store does not take back
    // stays unused.
    store_.Take(charges, accounting, absl::InfiniteFuture(),
                [this, refunds = std::move(refunds), next = std::move(next)](
                    const absl::StatusOr<absl::Span<const Outcome>>&) mutable {
                  loop_.Post([this, next = std::move(next)]() mutable {
                    --under_way_;
                    next.then(std::move(next.held));
                    Send();
                  });
                });
  }
}

WaitingRoom::WaitingRoom(Flow& flow, EventLoop& loop, CounterStore& store,
                         Metrics& metrics)
    : flow_(flow),
      loop_(loop),
      queued_(metrics.GetGauge({.name = "ratelimitd_queued_requests",
                                .help = "Requests held until their slot"})),
      left_(
          metrics.GetCounter({.name = "ratelimitd_queue_left_total",
                              .help = "Held requests whose caller went away"})),
      waits_(metrics.GetHistogram(
          {.name = "ratelimitd_queue_wait_seconds",
           .help = "How long requests were held that were served"},
          {0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600})),
      returns_(loop, store),
      timer_(loop.NewTimer([this] { OnTimer(); })),
      pace_(loop.NewTimer([this] { RestartRecalled(); })) {}

void WaitingRoom::Hold(HeldRequest held, int64_t max_queued, Counter& full) {
  // Many requests may have booked a slot before the first of them came here.
  const bool is_full =
      held_.fetch_add(1, std::memory_order_relaxed) >= max_queued;
  if (is_full) full.Add(1);
  loop_.Post([this, is_full, held = std::move(held)]() mutable {
    if (!is_full) return Add(std::move(held));
    const absl::Duration wait = held.wait;
    TurnAway(std::move(held), [this, wait](HeldRequest refused) {
      Refuse(std::move(refused), wait);
    });
  });
}

void WaitingRoom::TurnAway(HeldRequest held, SlotReturns::Then then) {
  held_.fetch_sub(1, std::memory_order_relaxed);
  returns_.Add(std::move(held), std::move(then));
}

void WaitingRoom::Refuse(HeldRequest held, absl::Duration retry_after) {
  for (const BookedSlot& booked : held.booked) {
    LimitStatus& status = held.request.limit(booked.charge).status;
    status.over_limit = true;
    status.remaining = 0;
    status.reset = retry_after;
  }
  flow_.Proceed(std::move(held.request));
}

void WaitingRoom::Add(HeldRequest held) {
  const uint64_t number = next_number_++;
  SteadyTime due = loop_.Now() + absl::ToChronoNanoseconds(held.wait);
  // The request was decided before a reload or the drain, and comes after it.
  if (stale_ && stale_(held.request)) {
    TurnAway(std::move(held), [this](HeldRequest stale) {
      flow_.Restart(std::move(stale.request));
    });
    return;
  }
  if (due > end_) {
    const absl::Duration wait = held.wait;
    TurnAway(std::move(held),
             [this, wait](HeldRequest late) { Refuse(std::move(late), wait); });
    return;
  }
  std::string counter = CounterOf(held);
  const absl::Time slot =
      counter.empty() ? absl::UnixEpoch() : held.booked[0].slot;
  Caller& caller = *held.request.query().caller;
  const auto added =
      guests_
          .emplace(
              Place(std::move(counter), slot, number),
              Guest{.held = std::move(held), .since = loop_.Now(), .due = due})
          .first;
  // A request that is earlier in the store's order is served earlier.
  if (added != guests_.begin()) {
    const auto& [place, before] = *std::prev(added);
    const std::string& name = std::get<0>(place);
    if (!name.empty() && name == std::get<0>(added->first)) {
      due = added->second.due = std::max(due, before.due);
    }
  }
  by_number_.emplace(number, added);
  by_due_.emplace(due, number);
  queued_.Set(static_cast<double>(guests_.size()));
  SetTimer();
  caller.OnGone(
      [this, number] { loop_.Post([this, number] { Leave(number); }); });
}

void WaitingRoom::SetTimer() {
  if (by_due_.empty()) return timer_->Cancel();
  timer_->Set(by_due_.begin()->first);
}

void WaitingRoom::OnTimer() {
  while (!by_due_.empty() && by_due_.begin()->first <= loop_.Now()) {
    Guest guest = Remove(by_number_.at(by_due_.begin()->second));
    waits_.Observe(
        absl::ToDoubleSeconds(absl::FromChrono(loop_.Now() - guest.since)));
    guest.held.request.ShortenResets(guest.held.wait);
    flow_.Proceed(std::move(guest.held.request));
  }
  SetTimer();
}

void WaitingRoom::Leave(uint64_t number) {
  const auto it = by_number_.find(number);
  if (it == by_number_.end()) return;  // served meanwhile
  left_.Add(1);
  Guest guest = TakeOut(it->second);
  SetTimer();
  returns_.Add(std::move(guest.held), [this](HeldRequest left) {
    flow_.Fail(std::move(left.request),
               absl::CancelledError("the caller has gone"));
  });
}

WaitingRoom::Guest WaitingRoom::TakeOut(Guests::iterator guest) {
  UpdateSlot(*guest);
  const auto [counter, slot, number] = guest->first;
  Guest gone = Remove(guest);
  if (!counter.empty()) {
    gone.held.booked[0].slot =
        MoveUp(counter, slot, gone.due, CostOf(gone.held));
  }
  return gone;
}

// Guests who share a slot stay there; only one guest of each slot moves. If
// every guest took a step, then a gateway that goes away with a crowd would
// hold up all others.
absl::Time WaitingRoom::MoveUp(const std::string& counter, absl::Time slot,
                               SteadyTime due, int64_t cost) {
  for (;;) {
    const auto next = guests_.upper_bound({counter, slot, UINT64_MAX});
    if (next == guests_.end() || std::get<0>(next->first) != counter ||
        CostOf(next->second.held) != cost) {
      return slot;
    }
    if (next != guests_.begin()) {
      // The guest must not overtake those who are in this slot already.
      const auto& [last, before] = *std::prev(next);
      const bool shares =
          std::get<0>(last) == counter && std::get<1>(last) == slot;
      if (shares) due = std::max(due, before.due);
    }
    auto node = guests_.extract(next);
    auto& [name, place, number] = node.key();
    by_due_.erase({node.mapped().due, number});
    std::swap(place, slot);
    std::swap(node.mapped().due, due);
    by_due_.emplace(node.mapped().due, number);
    by_number_[number] = guests_.insert(std::move(node)).position;
  }
}

WaitingRoom::Guest WaitingRoom::Remove(Guests::iterator guest) {
  const uint64_t number = std::get<2>(guest->first);
  by_due_.erase({guest->second.due, number});
  by_number_.erase(number);
  Guest gone = std::move(guest->second);
  guests_.erase(guest);
  gone.held.request.query().caller->Forget();
  held_.fetch_sub(1, std::memory_order_relaxed);
  queued_.Set(static_cast<double>(guests_.size()));
  return gone;
}

void WaitingRoom::UpdateSlot(Guests::value_type& guest) {
  const auto& [counter, slot, number] = guest.first;
  if (!counter.empty()) guest.second.held.booked[0].slot = slot;
}

void WaitingRoom::Drain(absl::Duration grace) {
  loop_.Post([this, grace] {
    end_ = loop_.Now() + absl::ToChronoNanoseconds(grace);
    // The last one first, so that each slot is the last of its counter.
    while (!by_due_.empty() && by_due_.rbegin()->first > end_) {
      const auto guest = by_number_.at(by_due_.rbegin()->second);
      UpdateSlot(*guest);
      const absl::Duration left =
          absl::FromChrono(guest->second.due - loop_.Now());
      returns_.Add(Remove(guest).held, [this, left](HeldRequest late) {
        Refuse(std::move(late), left);
      });
    }
    SetTimer();
  });
}

void WaitingRoom::Recall(Stale stale) {
  loop_.Post([this, stale = std::move(stale)]() mutable {
    stale_ = std::move(stale);
    std::vector<uint64_t> numbers;
    // The last one first, as in Drain().
    for (auto it = by_due_.rbegin(); it != by_due_.rend(); ++it) {
      const Guest& guest = by_number_.at(it->second)->second;
      if (stale_(guest.held.request)) numbers.push_back(it->second);
    }
    recalling_ += numbers.size();
    for (const uint64_t number : numbers) {
      const auto guest = by_number_.at(number);
      UpdateSlot(*guest);
      returns_.Add(Remove(guest).held, [this, number](HeldRequest held) {
        recalled_.emplace(number, std::move(held));
        if (--recalling_ == 0) RestartRecalled();
      });
    }
    SetTimer();
  });
}

void WaitingRoom::RestartRecalled() {
  for (int i = 0; i < kRestartsAtOnce && !recalled_.empty(); ++i) {
    auto first = recalled_.extract(recalled_.begin());
    flow_.Restart(std::move(first.mapped().request));
  }
  if (!recalled_.empty()) pace_->Set(loop_.Now() + kRestartPause);
}

}  // namespace rls
