#ifndef RLS_TESTS_UNIT_FAR_STORE_H_
#define RLS_TESTS_UNIT_FAR_STORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "store/counter_store.h"

namespace rls {

// The way to a store that others share, and what becomes of each take on it:
// a test says when it arrives and when its answer does, if they do.
class FarStore final : public CounterStore {
 public:
  struct Trip {
    absl::Span<const Charge> charges;
    Accounting accounting = Accounting::kAllOrNothing;
    TakeCallback done;
    absl::StatusOr<std::vector<Outcome>> told;
  };

  explicit FarStore(CounterStore& store) : store_(store) {}

  // Whether takes arrive and are answered at once.
  void SetNear(bool near) { near_ = near; }
  int takes() const { return takes_; }
  // Takes on their way, in their order.
  std::deque<Trip>& trips() { return trips_; }

  void Take(absl::Span<const Charge> charges, Accounting accounting, absl::Time,
            TakeCallback done) override {
    ++takes_;
    Trip trip{.charges = charges,
              .accounting = accounting,
              .done = std::move(done),
              .told = absl::UnavailableError("lost")};
    if (near_) {
      Arrive(trip);
      Answer(std::move(trip));
    } else {
      trips_.push_back(std::move(trip));
    }
  }

  // The store judges it.
  void Arrive(Trip& trip) {
    store_.Take(trip.charges, trip.accounting, absl::InfiniteFuture(),
                [&trip](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                  if (!outcomes.ok()) {
                    trip.told = outcomes.status();
                    return;
                  }
                  trip.told.emplace(outcomes->begin(), outcomes->end());
                });
  }
  // The caller hears what was told: that it was lost if it has not arrived.
  static void Answer(Trip trip) {
    if (trip.told.ok()) {
      trip.done(absl::MakeConstSpan(*trip.told));
    } else {
      trip.done(trip.told.status());
    }
  }
  // The oldest one; that its answer is lost, too.
  void Pass() {
    Trip trip = Next();
    Arrive(trip);
    Answer(std::move(trip));
  }
  void Lose() { Answer(Next()); }
  void LoseAnswer() {
    Trip trip = Next();
    Arrive(trip);
    trip.told = absl::UnavailableError("lost");
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

#endif  // RLS_TESTS_UNIT_FAR_STORE_H_
