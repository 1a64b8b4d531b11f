#include "unit/store/counter_store_dice.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

struct WindowShape {
  Algorithm algorithm = Algorithm::kFixedWindow;
  absl::Duration window = absl::Minutes(1);
  Calendar calendar = Calendar::kNone;
  const char* zone = "UTC";
};

const std::vector<WindowShape>& SecondShapes() {
  static const auto& shapes = *new std::vector<WindowShape>{
      {Algorithm::kFixedWindow, absl::Seconds(10)},
      {Algorithm::kSlidingWindow, absl::Seconds(10)},
      {Algorithm::kTokenBucket, absl::Seconds(10)},
      {Algorithm::kFixedWindow, absl::Seconds(60)},
      {Algorithm::kSlidingWindow, absl::Seconds(7)},
      {Algorithm::kTokenBucket, absl::Seconds(61)},
      {Algorithm::kFixedWindow, absl::Seconds(1)},
  };
  return shapes;
}

const std::vector<WindowShape>& CalendarShapes() {
  constexpr Algorithm kFixed = Algorithm::kFixedWindow;
  static const auto& shapes = *new std::vector<WindowShape>{
      {kFixed, {}, Calendar::kDay, "Europe/Berlin"},
      {kFixed, {}, Calendar::kHour, "Europe/Berlin"},
      {kFixed, {}, Calendar::kHour, "Asia/Kolkata"},
      {kFixed, {}, Calendar::kDay, "America/New_York"},
      {kFixed, {}, Calendar::kWeek, "Europe/Berlin"},
      {kFixed, {}, Calendar::kMonth, "UTC"},
      {Algorithm::kSlidingWindow, absl::Hours(1)},
      {Algorithm::kTokenBucket, absl::Hours(24)},
  };
  return shapes;
}

const std::vector<WindowShape>& PlainShapes() {
  constexpr Algorithm kFixed = Algorithm::kFixedWindow;
  static const auto& shapes = *new std::vector<WindowShape>{
      {kFixed, absl::Seconds(1)},  {kFixed, absl::Seconds(2)},
      {kFixed, absl::Seconds(10)}, {kFixed, absl::Seconds(10)},
      {kFixed, absl::Seconds(60)},
  };
  return shapes;
}

const std::vector<WindowShape>& UsageShapes() {
  static const auto& shapes = *new std::vector<WindowShape>{
      {Algorithm::kSingleWindow, absl::Seconds(13)},
      {Algorithm::kFixedWindow, absl::Seconds(10)},
      {Algorithm::kSingleWindow, absl::Seconds(1)},
      {Algorithm::kSlidingWindow, absl::Seconds(7)},
      {Algorithm::kTokenBucket, absl::Seconds(61)},
  };
  return shapes;
}

const std::vector<WindowShape>& Shapes(const Habits& habits) {
  if (habits.usage) return UsageShapes();
  if (habits.plain) return PlainShapes();
  return habits.calendar ? CalendarShapes() : SecondShapes();
}

}  // namespace

StoreDice::StoreDice(unsigned seed, const Habits& habits)
    : engine_(seed),
      habits_(habits),
      prefix_(absl::StrCat(seed, habits.calendar ? "c" : "s",
                           habits.huge ? "h" : "s", habits.lone ? "l" : "m",
                           habits.queue ? "q" : "n", habits.usage ? "u" : "n",
                           habits.returns ? "r" : "k", "/")) {
  for (size_t key = 0; key < Shapes(habits).size(); ++key) {
    policies_.push_back(Shape(key));
    Draw(policies_.back());
  }
}

absl::Time StoreDice::Start() {
  absl::TimeZone berlin;
  EXPECT_TRUE(absl::LoadTimeZone("Europe/Berlin", &berlin));
  const absl::CivilHour change = OneIn(2) ? absl::CivilHour(2024, 3, 31, 2)
                                          : absl::CivilHour(2024, 10, 27, 2);
  return absl::FromCivil(change, berlin) -
         absl::Microseconds(Below(int64_t{3} * 3600 * 1'000'000));
}

std::vector<TestCharge> StoreDice::Charges() {
  if (OneIn(8)) {
    Reload(policies_[static_cast<size_t>(
        Below(static_cast<int64_t>(policies_.size())))]);
  }
  std::vector<TestCharge> charges;
  for (int64_t n = habits_.lone ? 1 : 1 + Below(3); n > 0; --n) {
    charges.push_back(Charge());
  }
  // A store may treat several charges of one counter in a special way.
  if (!habits_.lone && OneIn(5)) {
    charges.insert(charges.end(), static_cast<size_t>(1 + Below(3)),
                   charges[0]);
  }
  last_ = charges;
  return charges;
}

Accounting StoreDice::AnyAccounting() {
  return OneIn(4) ? Accounting::kIndependent : Accounting::kAllOrNothing;
}

absl::Duration StoreDice::Pause(const std::vector<Outcome>& last) {
  NoteSlots(last);
  // Calendar windows are thousands of times as long.
  const absl::Duration unit =
      habits_.calendar ? absl::Minutes(10) : absl::Milliseconds(300);
  const auto any = [this](absl::Duration below) {
    return absl::Microseconds(Below(absl::ToInt64Microseconds(below)));
  };
  // The huge debt of a bucket lasts for years, beyond the range of the clock.
  const auto until = [](absl::Duration change) {
    return change < absl::Hours(24 * 40)
               ? absl::Ceil(change, absl::Microseconds(1))
               : absl::ZeroDuration();
  };
  switch (Below(12)) {
    case 0:
      return any(130 * unit);
    case 1:
      return OneIn(10) ? any(3000 * unit) : absl::ZeroDuration();
    case 2:
      return until(last[0].reset_after);
    case 3:
      return std::max(absl::ZeroDuration(),
                      until(last[0].reset_after) - absl::Microseconds(1));
    case 4:
      return until(last[0].retry_after);
    case 5:
      return absl::ZeroDuration();
    default:
      return any(unit);
  }
}

void StoreDice::NoteSlots(const std::vector<Outcome>& outcomes) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].slot == absl::Time() || OneIn(3)) continue;
    slots_[last_[i].key] = outcomes[i].slot;
  }
}

void StoreDice::AddBooking(TestCharge& charge) {
  if (OneIn(4)) return;
  if (charge.cost < 0) {
    const auto slot = slots_.find(charge.key);
    if (slot == slots_.end()) return;
    charge.booking = {.slot = slot->second};
  } else if (charge.policy.queue) {
    charge.booking = {
        .max_wait = absl::Microseconds(Below(int64_t{50} * 1'000'000)),
        .max_queued = 1 + Below(30)};
  }
}

int64_t StoreDice::Below(int64_t bound) {
  return std::uniform_int_distribution<int64_t>(0, bound - 1)(engine_);
}

Policy StoreDice::Shape(size_t key) const {
  const WindowShape& shape = Shapes(habits_)[key];
  Policy policy{.algorithm = shape.algorithm, .calendar = shape.calendar};
  if (shape.calendar == Calendar::kNone) policy.window = shape.window;
  EXPECT_TRUE(absl::LoadTimeZone(shape.zone, &policy.zone));
  return policy;
}

void StoreDice::Reload(Policy& policy) {
  const auto has_bank = [&policy] {
    return policy.burst > 0 && policy.burst_mode == BurstMode::kEarned;
  };
  const bool had_bank = has_bank();
  do {
    Draw(policy);
  } while (habits_.steady_banks && has_bank() != had_bank);
}

void StoreDice::Draw(Policy& policy) {
  policy.limit = Amount(13);
  policy.burst = OneIn(2) ? 0 : Amount(7);
  policy.burst_mode =
      OneIn(habits_.plain ? 8 : 2) ? BurstMode::kEarned : BurstMode::kUpfront;
  policy.queue = habits_.queue && !OneIn(6) &&
                 policy.algorithm != Algorithm::kSlidingWindow;
}

int64_t StoreDice::Amount(int64_t small) {
  constexpr int64_t kHuge[] = {kMaxAmount,         kMaxAmount - 1,
                               kMaxAmount / 2 + 1, 1'000'000'000'000'000,
                               int64_t{1} << 32,   (int64_t{1} << 31) - 1,
                               1'000'003};
  if (habits_.huge && OneIn(2)) return kHuge[Below(std::size(kHuge))];
  return Below(small);
}

TestCharge StoreDice::Charge() {
  const auto key =
      static_cast<size_t>(Below(static_cast<int64_t>(policies_.size())));
  TestCharge charge{.key = absl::StrCat(prefix_, key),
                    .policy = policies_[key]};
  if (OneIn(10)) charge.policy.limit = Amount(13);
  if (habits_.plain && !OneIn(6)) {
    charge.cost = 1 + Amount(4);
    if (OneIn(4)) charge.kind = ChargeKind::kObserve;
    return charge;
  }
  charge.cost = OneIn(10) ? -Amount(4) : Amount(5);
  if (OneIn(3)) charge.cost = 1;
  const int64_t kinds = habits_.usage ? 7 : 4;
  charge.kind =
      OneIn(3) ? static_cast<ChargeKind>(Below(kinds)) : ChargeKind::kEnforce;
  if (habits_.queue || habits_.returns) {
    if (OneIn(5)) charge.cost = -charge.cost;
    AddBooking(charge);
  }
  return charge;
}

}  // namespace rls
