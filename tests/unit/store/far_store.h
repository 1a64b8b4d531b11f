#ifndef RLS_TESTS_UNIT_STORE_FAR_STORE_H_
#define RLS_TESTS_UNIT_STORE_FAR_STORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "store/counter_store.h"

namespace rls {

// The network path to a shared store. A test decides when each take arrives,
// when its answer arrives, and which of them get lost.
class FarStore final : public CounterStore {
 public:
  struct Trip {
    absl::Span<const Charge> charges;
    Accounting accounting = Accounting::kAllOrNothing;
    TakeCallback done;
    absl::StatusOr<std::vector<Outcome>> answer;
  };

  explicit FarStore(CounterStore& store) : store_(store) {}

  // With `near`, takes arrive and are answered at once.
  void SetNear(bool near) { near_ = near; }
  int takes() const { return takes_; }
  // Pending takes, in order.
  std::deque<Trip>& trips() { return trips_; }

  void Take(absl::Span<const Charge> charges, Accounting accounting, absl::Time,
            TakeCallback done) override {
    ++takes_;
    Trip trip{.charges = charges,
              .accounting = accounting,
              .done = std::move(done),
              .answer = absl::UnavailableError("lost")};
    if (near_) {
      Arrive(trip);
      Answer(std::move(trip));
    } else {
      trips_.push_back(std::move(trip));
    }
  }

  // The take arrives at the store.
  void Arrive(Trip& trip) {
    store_.Take(trip.charges, trip.accounting, absl::InfiniteFuture(),
                [&trip](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                  if (!outcomes.ok()) {
                    trip.answer = outcomes.status();
                    return;
                  }
                  trip.answer.emplace(outcomes->begin(), outcomes->end());
                });
  }
  // The answer arrives: the outcomes, or an error if the take has not arrived.
  static void Answer(Trip trip) {
    if (trip.answer.ok()) {
      trip.done(absl::MakeConstSpan(*trip.answer));
    } else {
      trip.done(trip.answer.status());
    }
  }
  // Each of these completes the oldest take: it passes, it is lost, or only its
  // answer is lost.
  void Pass() {
    Trip trip = Next();
    Arrive(trip);
    Answer(std::move(trip));
  }
  void Lose() { Answer(Next()); }
  void LoseAnswer() {
    Trip trip = Next();
    Arrive(trip);
    trip.answer = absl::UnavailableError("lost");
    Answer(std::move(trip));
  }

 private:
  Trip Next() {
    Trip trip = std::move(trips_.front());
    trips_.pop_front();
    return trip;
  }

  CounterStore& store_;
  bool near_ = true;
  int takes_ = 0;
  std::deque<Trip> trips_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_FAR_STORE_H_
