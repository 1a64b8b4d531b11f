// A history of takes on the memory store and on the model of a store.

#include <memory>
#include <vector>

#include "fake_clock.h"
#include "fuzz/any_charges.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "store/memory/memory_store.h"
#include "unit/store/counter_store_model.h"

namespace rls {
namespace {

bool AreEqual(const Outcome& a, const Outcome& b) {
  return a.allowed == b.allowed && a.remaining == b.remaining &&
         a.reset_after == b.reset_after && a.retry_after == b.retry_after &&
         a.wait == b.wait && a.slot == b.slot && a.crowded == b.crowded;
}

std::vector<Outcome> TakeNow(CounterStore& store,
                             const std::vector<TestCharge>& charges,
                             Accounting accounting) {
  std::vector<absl::string_view> parts;
  for (const TestCharge& charge : charges) parts.push_back(charge.key);
  std::vector<Charge> views;
  for (size_t i = 0; i < charges.size(); ++i) {
    const TestCharge& charge = charges[i];
    views.push_back(
        {.policy = &charge.policy,
         .key = {.scope = "scope", .parts = absl::MakeConstSpan(&parts[i], 1)},
         .cost = charge.cost,
         .kind = charge.kind,
         .booking = charge.booking.has_value() ? &*charge.booking : nullptr});
  }
  std::vector<Outcome> taken;
  store.Take(views, accounting, absl::InfiniteFuture(),
             [&taken](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
               Require(outcomes.ok(), "the store is not full");
               taken.assign(outcomes->begin(), outcomes->end());
             });
  return taken;
}

// The end of a window and the time of the next free unit are interesting.
absl::Duration Pause(FuzzInput& input, const Outcome& last) {
  constexpr absl::Duration kLongest = absl::Hours(24 * 40);
  constexpr absl::Duration kUs = absl::Microseconds(1);
  switch (input.Below(6)) {
    case 0:
      return absl::Microseconds(static_cast<int64_t>(input.Number(3)));
    case 1:
      return absl::Milliseconds(static_cast<int64_t>(input.Number(3)));
    case 2:
      return last.reset_after < kLongest ? absl::Ceil(last.reset_after, kUs)
                                         : absl::ZeroDuration();
    case 3:
      return last.retry_after < kLongest ? absl::Ceil(last.retry_after, kUs)
                                         : absl::ZeroDuration();
    default:
      return absl::ZeroDuration();
  }
}

}  // namespace

void FuzzCounterStore(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  FakeClock clock;
  const auto store = NewMemoryStore(clock, {});
  CounterStoreModel model;
  AnyCharges any;
  while (!input.empty()) {
    const std::vector<TestCharge> charges = any.Next(input);
    const Accounting accounting = AnyCharges::AnyAccounting(input);
    const auto expected = model.Take(charges, accounting, clock.Now());
    const auto actual = TakeNow(*store, charges, accounting);
    Require(actual.size() == expected.size(), "each charge has an outcome");
    for (size_t i = 0; i < actual.size(); ++i) {
      Require(AreEqual(actual[i], expected[i]),
              "the store and the model have equal outcomes");
      Require(actual[i].remaining >= 0 &&
                  actual[i].reset_after >= absl::ZeroDuration() &&
                  actual[i].retry_after >= absl::ZeroDuration(),
              "no outcome is negative");
    }
    any.NoteSlots(charges, actual);
    clock.Advance(Pause(input, actual[0]));
  }
}

}  // namespace rls
