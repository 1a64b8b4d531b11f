// Replies of a broken Redis or proxy to script calls.

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fuzz/any_charges.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "store/redis/script_call.h"

namespace rls {
namespace {

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'002'800);

class IgnoresAll final : public CounterListener {
 public:
  void OnExhausted(const PendingTake&, const CounterState&,
                   absl::Time) override {}
  void OnChanged(const Charge&) override {}
  void OnRepaired(size_t, absl::string_view) override {}
};

// A take that owns what a PendingTake only views.
struct OwnedTake {
  std::vector<TestCharge> charges;
  std::vector<Charge> views;
  int answers = 0;
};

void CheckOutcomes(const absl::StatusOr<absl::Span<const Outcome>>& outcomes,
                   size_t charges) {
  if (!outcomes.ok()) return;
  Require(outcomes->size() == charges, "each charge has an outcome");
  for (const Outcome& outcome : *outcomes) {
    Require(outcome.remaining >= 0 && outcome.remaining <= kMaxAmount,
            "the remaining units are within their bounds");
    Require(outcome.reset_after >= absl::ZeroDuration(),
            "no reset is in the past");
  }
}

std::unique_ptr<PendingTake> Pending(OwnedTake& own, Accounting accounting) {
  auto take = std::make_unique<PendingTake>();
  for (const TestCharge& charge : own.charges) {
    own.views.push_back(
        {.policy = &charge.policy,
         .cost = charge.cost,
         .kind = charge.kind,
         .booking = charge.booking.has_value() ? &*charge.booking : nullptr});
    const auto it = std::find(take->keys.begin(), take->keys.end(), charge.key);
    take->counter_of.push_back(static_cast<size_t>(it - take->keys.begin()));
    if (it == take->keys.end()) take->keys.push_back(charge.key);
  }
  take->charges = own.views;
  take->accounting = accounting;
  take->done =
      [&own](const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
        ++own.answers;
        CheckOutcomes(outcomes, own.charges.size());
      };
  return take;
}

std::string AnyReply(FuzzInput& input) {
  const auto now_us = static_cast<double>(absl::ToUnixMicros(kNow));
  const double numbers[] = {0,
                            1,
                            2,
                            -1,
                            7,
                            now_us,
                            now_us / 1e6,
                            0x1p53,
                            -0x1p53,
                            0x1p62,
                            std::numeric_limits<double>::max(),
                            -std::numeric_limits<double>::infinity(),
                            std::nan("")};
  std::string reply;
  for (size_t count = input.Below(64); count > 0; --count) {
    const size_t choice = input.Below(std::size(numbers) + 1);
    if (choice == std::size(numbers)) {
      absl::StrAppend(&reply, input.Take(sizeof(double)));
    } else {
      const double number = reply.empty() ? now_us : numbers[choice];
      reply.append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
  }
  return reply;
}

}  // namespace

void FuzzScriptReply(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  AnyCharges any;
  std::deque<OwnedTake> takes;
  PendingTakes pending;
  for (size_t count = 1 + input.Below(4); count > 0; --count) {
    takes.push_back({.charges = any.Next(input)});
    pending.push_back(Pending(takes.back(), AnyCharges::AnyAccounting(input)));
  }
  IgnoresAll ignores_all;
  size_t waiting = 0;
  for (const auto& call : MakeScriptCalls(std::move(pending), kNow)) {
    std::string command;
    call->AppendTo("EVALSHA", "hash", command);
    const std::string reply = AnyReply(input);
    const absl::Status read = call->OnReply(reply, ignores_all);
    Require(read.ok() || absl::IsUnavailable(read),
            "a malformed reply is UNAVAILABLE");
    for (const auto& take : call->takes()) waiting += take != nullptr;
  }
  size_t answered = 0;
  for (const OwnedTake& take : takes) {
    Require(take.answers <= 1, "a take is answered once");
    answered += static_cast<size_t>(take.answers);
  }
  Require(answered + waiting == takes.size(), "no take is lost");
}

}  // namespace rls
