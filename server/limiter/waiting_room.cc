#include "limiter/waiting_room.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

// Of those that are decided anew: so many in a pause, as a store could not
// answer a crowd in time.
constexpr int kAgainAtOnce = 128;
constexpr std::chrono::milliseconds kAgainPause{2};

// The counter that all of it waits for; "" when there are several. Parts have
// their length in front, so that no two counters share a text.
std::string CounterOf(const Decision& decision) {
  if (decision.booked().size() != 1) return "";
  const CounterKey& key = decision.charges()[decision.booked()[0].charge].key;
  std::string text(key.scope);
  for (const absl::string_view part : key.parts) {
    absl::StrAppend(&text, " ", part.size(), ":", part);
  }
  return text;
}

}  // namespace

WaitingRoom::WaitingRoom(EventLoop& loop, CounterStore& store, Metrics& metrics,
                         Again again)
    : loop_(loop),
      again_(std::move(again)),
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
      pace_(loop.NewTimer([this] { AskAgain(); })) {}

void WaitingRoom::Hold(std::unique_ptr<Decision> decision, Counter& full) {
  const int64_t most = decision->queue_rule().max_queued;
  // Many may have been let wait before the first of them came here.
  const bool is_full = held_.fetch_add(1, std::memory_order_relaxed) >= most;
  if (is_full) full.Add(1);
  loop_.Post([this, is_full, decision = std::move(decision)]() mutable {
    if (is_full) {
      TurnAway(std::move(decision), [](std::unique_ptr<Decision> refused) {
        refused->done(&refused->Refuse(refused->wait()));
      });
    } else {
      Add(std::move(decision));
    }
  });
}

void WaitingRoom::TurnAway(std::unique_ptr<Decision> decision,
                           SlotReturns::Then then) {
  held_.fetch_sub(1, std::memory_order_relaxed);
  const auto booked = decision->booked();
  std::vector<Decision::Booked> slots(booked.begin(), booked.end());
  returns_.Add(std::move(decision), std::move(slots), std::move(then));
}

void WaitingRoom::Add(std::unique_ptr<Decision> decision) {
  const uint64_t number = next_number_++;
  SteadyTime due = loop_.Now() + absl::ToChronoNanoseconds(decision->wait());
  // It was decided before a reload or the drain, and comes after it.
  if (stale_ && stale_(*decision)) {
    TurnAway(std::move(decision), [this](std::unique_ptr<Decision> stale) {
      again_(std::move(stale));
    });
    return;
  }
  if (due > end_) {
    TurnAway(std::move(decision), [](std::unique_ptr<Decision> late) {
      late->done(&late->Refuse(late->wait()));
    });
    return;
  }
  std::string counter = CounterOf(*decision);
  const absl::Time slot =
      counter.empty() ? absl::UnixEpoch() : decision->booked()[0].slot;
  Caller& caller = *decision->query().caller;
  const auto added = guests_
                         .emplace(Place(std::move(counter), slot, number),
                                  Guest{.decision = std::move(decision),
                                        .since = loop_.Now(),
                                        .due = due})
                         .first;
  // Who is before it in the store's order is served before it.
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
    const Guest guest = Remove(by_number_.at(by_due_.begin()->second));
    waits_.Observe(
        absl::ToDoubleSeconds(absl::FromChrono(loop_.Now() - guest.since)));
    guest.decision->done(&guest.decision->Serve());
  }
  SetTimer();
}

void WaitingRoom::Leave(uint64_t number) {
  const auto it = by_number_.find(number);
  if (it == by_number_.end()) return;  // served meanwhile
  left_.Add(1);
  std::vector<Decision::Booked> slots;
  Guest guest = TakeOut(it->second, slots);
  SetTimer();
  returns_.Add(std::move(guest.decision), std::move(slots),
               [](std::unique_ptr<Decision> decision) {
                 decision->done(absl::CancelledError("the caller has gone"));
               });
}

WaitingRoom::Guest WaitingRoom::TakeOut(Guests::iterator guest,
                                        std::vector<Decision::Booked>& slots) {
  slots = SlotsOf(*guest);
  const std::string counter = std::get<0>(guest->first);
  absl::Time slot = std::get<1>(guest->first);
  SteadyTime due = guest->second.due;
  Guest gone = Remove(guest);
  if (counter.empty()) return gone;
  const auto cost_of = [](const Decision& decision) {
    return decision.charges()[decision.booked()[0].charge].cost;
  };
  const int64_t cost = cost_of(*gone.decision);
  // Those who share a slot stay; the first one of the next slot moves into it,
  // and so on. A step for each guest instead would hold all others up when a
  // gateway goes, and a crowd with it.
  for (;;) {
    const auto next = guests_.upper_bound({counter, slot, UINT64_MAX});
    if (next == guests_.end() || std::get<0>(next->first) != counter ||
        cost_of(*next->second.decision) != cost) {
      break;
    }
    if (next != guests_.begin()) {
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
  slots[0].slot = slot;
  return gone;
}

WaitingRoom::Guest WaitingRoom::Remove(Guests::iterator guest) {
  const uint64_t number = std::get<2>(guest->first);
  by_due_.erase({guest->second.due, number});
  by_number_.erase(number);
  Guest gone = std::move(guest->second);
  guests_.erase(guest);
  gone.decision->query().caller->Forget();
  held_.fetch_sub(1, std::memory_order_relaxed);
  queued_.Set(static_cast<double>(guests_.size()));
  return gone;
}

std::vector<Decision::Booked> WaitingRoom::SlotsOf(
    const Guests::value_type& guest) {
  const auto booked = guest.second.decision->booked();
  std::vector<Decision::Booked> slots(booked.begin(), booked.end());
  const auto& [counter, slot, number] = guest.first;
  if (!counter.empty()) slots[0].slot = slot;
  return slots;
}

void WaitingRoom::Drain(absl::Duration grace) {
  loop_.Post([this, grace] {
    end_ = loop_.Now() + absl::ToChronoNanoseconds(grace);
    // From the last one, so that each slot is the last of its counter.
    while (!by_due_.empty() && by_due_.rbegin()->first > end_) {
      const auto guest = by_number_.at(by_due_.rbegin()->second);
      std::vector<Decision::Booked> slots = SlotsOf(*guest);
      const absl::Duration left =
          absl::FromChrono(guest->second.due - loop_.Now());
      returns_.Add(Remove(guest).decision, std::move(slots),
                   [left](std::unique_ptr<Decision> decision) {
                     decision->done(&decision->Refuse(left));
                   });
    }
    SetTimer();
  });
}

void WaitingRoom::Recall(Stale stale) {
  loop_.Post([this, stale = std::move(stale)]() mutable {
    stale_ = std::move(stale);
    std::vector<uint64_t> numbers;
    // From the last one, as in Drain().
    for (auto it = by_due_.rbegin(); it != by_due_.rend(); ++it) {
      const Guest& guest = by_number_.at(it->second)->second;
      if (stale_(*guest.decision)) numbers.push_back(it->second);
    }
    recalling_ += numbers.size();
    for (const uint64_t number : numbers) {
      const auto guest = by_number_.at(number);
      std::vector<Decision::Booked> slots = SlotsOf(*guest);
      returns_.Add(Remove(guest).decision, std::move(slots),
                   [this, number](std::unique_ptr<Decision> decision) {
                     recalled_.emplace(number, std::move(decision));
                     if (--recalling_ == 0) AskAgain();
                   });
    }
    SetTimer();
  });
}

void WaitingRoom::AskAgain() {
  for (int i = 0; i < kAgainAtOnce && !recalled_.empty(); ++i) {
    auto first = recalled_.extract(recalled_.begin());
    again_(std::move(first.mapped()));
  }
  if (!recalled_.empty()) pace_->Set(loop_.Now() + kAgainPause);
}

}  // namespace rls
