#include "limiter/waiting_room.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace rls {
namespace {

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

WaitingRoom::WaitingRoom(EventLoop& loop, CounterStore& store, Metrics& metrics)
    : loop_(loop),
      store_(store),
      queued_(metrics.GetGauge({.name = "ratelimitd_queued_requests",
                                .help = "Requests held until their slot"})),
      left_(
          metrics.GetCounter({.name = "ratelimitd_queue_left_total",
                              .help = "Held requests whose caller went away"})),
      waits_(metrics.GetHistogram(
          {.name = "ratelimitd_queue_wait_seconds",
           .help = "How long requests were held that were served"},
          {0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600})),
      timer_(loop.NewTimer([this] { OnTimer(); })) {}

void WaitingRoom::Hold(std::unique_ptr<Decision> decision) {
  held_.fetch_add(1, std::memory_order_relaxed);
  loop_.Post([this, decision = std::move(decision)]() mutable {
    Add(std::move(decision));
  });
}

void WaitingRoom::Add(std::unique_ptr<Decision> decision) {
  const uint64_t number = next_number_++;
  SteadyTime due = loop_.Now() + absl::ToChronoNanoseconds(decision->wait());
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
  if (by_due_.empty()) {
    timer_->Cancel();
  } else {
    timer_->Set(by_due_.begin()->first);
  }
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
  GiveBack(std::move(guest.decision), slots,
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
  while (true) {
    const auto next = guests_.upper_bound(Place(counter, slot, UINT64_MAX));
    if (next == guests_.end() || std::get<0>(next->first) != counter ||
        cost_of(*next->second.decision) != cost) {
      break;
    }
    if (next != guests_.begin()) {
      const auto& [place, before] = *std::prev(next);
      if (std::get<0>(place) == counter && std::get<1>(place) == slot) {
        due = std::max(due, before.due);
      }
    }
    auto node = guests_.extract(next);
    const uint64_t number = std::get<2>(node.key());
    by_due_.erase({node.mapped().due, number});
    std::swap(std::get<1>(node.key()), slot);
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

void WaitingRoom::GiveBack(
    std::unique_ptr<Decision> decision,
    absl::Span<const Decision::Booked> slots,
    absl::AnyInvocable<void(std::unique_ptr<Decision>)> then) {
  Decision& giver = *decision;
  // What the store says does not matter: a slot that it has not taken back
  // stays empty.
  store_.Take(giver.GiveBack(slots), giver.accounting(), absl::InfiniteFuture(),
              [decision = std::move(decision), then = std::move(then)](
                  const absl::StatusOr<absl::Span<const Outcome>>&) mutable {
                then(std::move(decision));
              });
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
    const SteadyTime end = loop_.Now() + absl::ToChronoNanoseconds(grace);
    // From the last one, so that each slot is the last of its counter.
    while (!by_due_.empty() && by_due_.rbegin()->first > end) {
      const auto guest = by_number_.at(by_due_.rbegin()->second);
      const std::vector<Decision::Booked> slots = SlotsOf(*guest);
      const absl::Duration left =
          absl::FromChrono(guest->second.due - loop_.Now());
      GiveBack(Remove(guest).decision, slots,
               [left](std::unique_ptr<Decision> decision) {
                 decision->done(&decision->Refuse(left));
               });
    }
    SetTimer();
  });
}

namespace {

// Gathers those that are called back, and lets them go on once all are here.
class Recalled {
 public:
  Recalled(size_t count, WaitingRoom::Again again)
      : missing_(count), again_(std::move(again)) {}

  void Add(uint64_t number, std::unique_ptr<Decision> decision) {
    {
      const MutexLock lock(&mutex_);
      decisions_.emplace(number, std::move(decision));
      if (--missing_ > 0) return;
    }
    for (auto& [key, one] : decisions_) again_(std::move(one));
  }

 private:
  Mutex mutex_;
  size_t missing_;
  // In order of arrival.
  std::map<uint64_t, std::unique_ptr<Decision>> decisions_;
  WaitingRoom::Again again_;
};

}  // namespace

void WaitingRoom::Recall(absl::AnyInvocable<bool(const Decision&)> stale,
                         Again again) {
  loop_.Post(
      [this, stale = std::move(stale), again = std::move(again)]() mutable {
        std::vector<uint64_t> numbers;
        for (auto it = by_due_.rbegin(); it != by_due_.rend(); ++it) {
          const Guest& guest = by_number_.at(it->second)->second;
          if (stale(*guest.decision)) numbers.push_back(it->second);
        }
        const auto recalled =
            std::make_shared<Recalled>(numbers.size(), std::move(again));
        // From the last one, as in Drain().
        for (const uint64_t number : numbers) {
          const auto guest = by_number_.at(number);
          const std::vector<Decision::Booked> slots = SlotsOf(*guest);
          GiveBack(Remove(guest).decision, slots,
                   [recalled, number](std::unique_ptr<Decision> decision) {
                     recalled->Add(number, std::move(decision));
                   });
        }
        SetTimer();
      });
}

}  // namespace rls
