#include "limiter/slot_returns.h"

#include <utility>

namespace rls {
namespace {

// Half of what travels in one call of a script.
constexpr size_t kAtOnce = 128;

}  // namespace

void SlotReturns::Add(std::unique_ptr<Decision> decision,
                      std::vector<Decision::Booked> slots, Then then) {
  waiting_.push_back({.decision = std::move(decision),
                      .slots = std::move(slots),
                      .then = std::move(then)});
  Send();
}

void SlotReturns::Send() {
  while (!waiting_.empty() && on_their_way_ < kAtOnce) {
    Return next = std::move(waiting_.front());
    waiting_.pop_front();
    ++on_their_way_;
    Decision& giver = *next.decision;
    const absl::Span<const Charge> charges = giver.GiveBack(next.slots);
    // What the store says does not matter: a slot that it has not taken back
    // stays empty.
    store_.Take(charges, giver.accounting(), absl::InfiniteFuture(),
                [this, next = std::move(next)](
                    const absl::StatusOr<absl::Span<const Outcome>>&) mutable {
                  loop_.Post([this, next = std::move(next)]() mutable {
                    --on_their_way_;
                    next.then(std::move(next.decision));
                    Send();
                  });
                });
  }
}

}  // namespace rls
