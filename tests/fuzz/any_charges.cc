#include "fuzz/any_charges.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

absl::TimeZone Zone(const char* name) {
  absl::TimeZone zone;
  Require(absl::LoadTimeZone(name, &zone), "the time zone is installed");
  return zone;
}

const std::vector<Policy>& Shapes() {
  constexpr Algorithm kFixed = Algorithm::kFixedWindow;
  constexpr Algorithm kSliding = Algorithm::kSlidingWindow;
  constexpr Algorithm kBucket = Algorithm::kTokenBucket;
  static const auto& shapes = *new std::vector<Policy>{
      {.algorithm = kFixed, .window = absl::Seconds(1)},
      {.algorithm = kFixed, .window = absl::Seconds(10)},
      {.algorithm = kFixed, .window = kMaxWindow},
      {.algorithm = kSliding, .window = absl::Seconds(7)},
      {.algorithm = kSliding, .window = kMaxWindow},
      {.algorithm = kBucket, .window = absl::Seconds(1)},
      {.algorithm = kBucket, .window = absl::Seconds(61)},
      {.algorithm = Algorithm::kSingleWindow, .window = absl::Seconds(13)},
      {.algorithm = kFixed,
       .calendar = Calendar::kDay,
       .zone = Zone("Europe/Berlin")},
      {.algorithm = kFixed, .calendar = Calendar::kMonth},
  };
  return shapes;
}

int64_t Amount(FuzzInput& input) {
  constexpr int64_t kSpecial[] = {kMaxAmount,         kMaxAmount - 1,
                                  kMaxAmount / 2 + 1, 1'000'000'000'000'000,
                                  int64_t{1} << 32,   (int64_t{1} << 31) - 1,
                                  1'000'003,          86'400};
  const uint8_t byte = input.Byte();
  // Mostly small amounts, so that limits are reached.
  return byte < 248 ? byte % 16 : kSpecial[byte - 248];
}

}  // namespace

AnyCharges::AnyCharges() : policies_(Shapes()) {}

Accounting AnyCharges::AnyAccounting(FuzzInput& input) {
  return input.Bit() ? Accounting::kIndependent : Accounting::kAllOrNothing;
}

std::vector<TestCharge> AnyCharges::Next(FuzzInput& input) {
  std::vector<TestCharge> charges;
  for (size_t count = 1 + input.Below(4); count > 0; --count) {
    charges.push_back(One(input));
  }
  return charges;
}

TestCharge AnyCharges::One(FuzzInput& input) {
  const size_t key = input.Below(policies_.size());
  Policy& policy = policies_[key];
  const uint8_t choices = input.Byte();
  if (choices % 4 == 0) {
    policy.limit = Amount(input);
    policy.burst = input.Bit() ? 0 : Amount(input);
    policy.burst_mode = input.Bit() ? BurstMode::kEarned : BurstMode::kUpfront;
    const bool can_queue = policy.calendar == Calendar::kNone &&
                           (policy.algorithm == Algorithm::kFixedWindow ||
                            policy.algorithm == Algorithm::kTokenBucket);
    policy.queue = can_queue && input.Bit();
  }
  TestCharge charge{.key = absl::StrCat(key), .policy = policy};
  charge.cost = choices & 0x10 ? Amount(input) : 1;
  if (choices & 0x20) charge.cost = -charge.cost;
  constexpr size_t kKinds = 7;
  if (choices & 0x40) {
    charge.kind = static_cast<ChargeKind>(input.Below(kKinds));
  }
  if (choices & 0x80) AddBooking(input, charge);
  return charge;
}

void AnyCharges::AddBooking(FuzzInput& input, TestCharge& charge) {
  if (charge.cost < 0) {
    const auto slot = slots_.find(charge.key);
    if (slot != slots_.end()) charge.booking = {.slot = slot->second};
  } else if (charge.policy.queue) {
    charge.booking = {
        .max_wait =
            std::min(absl::Milliseconds(static_cast<int64_t>(input.Number(3))),
                     kMaxBookingWait),
        .max_queued = 1 + Amount(input)};
  }
}

void AnyCharges::NoteSlots(const std::vector<TestCharge>& charges,
                           absl::Span<const Outcome> outcomes) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].slot == absl::Time()) continue;
    slots_[charges[i].key] = outcomes[i].slot;
  }
}

}  // namespace rls
