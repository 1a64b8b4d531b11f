// The script call for all takes that are not plain: take.lua.

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "store/redis/script_call.h"

namespace rls {
namespace {

constexpr int64_t kBillion = 1'000'000'000;

// The number of calendar windows that are sent on each side of the current one:
// the windows that banked units can span, and one more in case the clock of
// Redis differs.
constexpr int kBoundsEachSide = kBankedWindows + 1;

// Writes the arguments of take.lua, in the format that PackedReader reads.
class PackedWriter {
 public:
  void Add(int64_t number) {
    const auto value = static_cast<double>(number);
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    text_.append(bytes, sizeof(bytes));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The bounds of the calendar windows around `now`, ascending.
std::vector<int64_t> CalendarBoundsNs(const Policy& policy, absl::Time now) {
  const int64_t now_ns = absl::ToUnixNanos(now);
  std::vector<int64_t> bounds = {WindowAt(policy, now_ns).start_ns};
  for (int i = 0; i < kBoundsEachSide; ++i) {
    bounds.push_back(WindowAt(policy, bounds.back() - 1).start_ns);
  }
  std::vector<int64_t> ascending(bounds.rbegin(), bounds.rend());
  for (int i = 0; i <= kBoundsEachSide; ++i) {
    ascending.push_back(WindowAt(policy, ascending.back()).end_ns);
  }
  return ascending;
}

// Writes seconds and the remaining nanoseconds.
void AddNanoseconds(int64_t ns, PackedWriter& out) {
  out.Add(ns / kBillion);
  out.Add(ns % kBillion);
}

// Writes the booking of a charge. Only charges of a policy that queues, and
// refunds, have one.
void WriteBooking(const Charge& charge, PackedWriter& out) {
  const Booking none;
  const Booking& booking = charge.booking == nullptr ? none : *charge.booking;
  const bool is_bucket = charge.policy->algorithm == Algorithm::kTokenBucket;
  int64_t wait_ns = absl::ToInt64Nanoseconds(
      std::clamp(booking.max_wait, absl::ZeroDuration(), kMaxBookingWait));
  if (is_bucket) {
    wait_ns =
        std::min(wait_ns, BucketQueueNs(*charge.policy, booking.max_queued));
  }
  AddNanoseconds(wait_ns, out);
  if (booking.slot.has_value()) {
    AddNanoseconds(absl::ToUnixNanos(*booking.slot), out);
  } else {
    out.Add(-1);
    out.Add(0);
  }
  if (!is_bucket) out.Add(booking.max_queued);
}

void WritePolicy(const Policy& policy, absl::Time now, PackedWriter& out) {
  out.Add(static_cast<int64_t>(policy.algorithm));
  out.Add(policy.limit);
  const int64_t window_us = absl::ToInt64Microseconds(policy.window);
  switch (policy.algorithm) {
    case Algorithm::kFixedWindow: {
      const bool upfront = policy.burst_mode == BurstMode::kUpfront;
      out.Add(upfront ? policy.burst : 0);
      out.Add(upfront ? 0 : policy.burst);
      if (policy.calendar == Calendar::kNone) {
        out.Add(window_us);
        out.Add(policy.queue ? MaxBookedWindows(policy) : -1);
        out.Add(0);
        break;
      }
      const std::vector<int64_t> bounds_ns = CalendarBoundsNs(policy, now);
      out.Add(0);
      out.Add(-1);
      out.Add(static_cast<int64_t>(bounds_ns.size()));
      for (const int64_t ns : bounds_ns) out.Add(ns / 1000);
      break;
    }
    case Algorithm::kSlidingWindow:
    case Algorithm::kSingleWindow:
      out.Add(window_us);
      break;
    case Algorithm::kTokenBucket: {
      AddNanoseconds(BucketDepthNs(policy), out);
      out.Add(policy.queue ? 1 : 0);
      AddNanoseconds(absl::ToInt64Nanoseconds(policy.window), out);
      break;
    }
  }
}

void WriteState(Algorithm algorithm, const CounterState& state,
                PackedWriter& out) {
  if (state.anchor_ns == CounterState::kNeverCharged) {
    for (const int64_t number : {-1, 0, 0}) out.Add(number);
  } else if (algorithm == Algorithm::kTokenBucket) {
    AddNanoseconds(state.anchor_ns, out);
    out.Add(state.carried);
  } else {
    out.Add(state.anchor_ns / 1000);
    out.Add(state.used);
    out.Add(state.carried);
  }
}

CounterState ReadState(Algorithm algorithm, PackedReader& reader) {
  const int64_t anchor = reader.Integer();
  const int64_t used = reader.Integer();
  const int64_t carried = reader.Integer();
  if (anchor < 0) return {};
  if (algorithm == Algorithm::kTokenBucket) {
    return {.anchor_ns = std::min(anchor, kLatestNs / kBillion) * kBillion +
                         ClampTo(used, 0, kBillion),
            .carried = std::max<int64_t>(carried, 0)};
  }
  return {.anchor_ns = std::min(anchor, kLatestNs / 1000) * 1000,
          .used = std::max<int64_t>(used, 0),
          .carried = std::max<int64_t>(carried, 0)};
}

// Collects the arguments of the command: each counter and each policy once.
class ArgumentWriter {
 public:
  void Add(const PendingTake& take, absl::Time now) {
    charges_.Add(static_cast<int64_t>(take.charges.size()));
    charges_.Add(ModeOf(take));
    for (size_t i = 0; i < take.charges.size(); ++i) {
      const Charge& charge = take.charges[i];
      charges_.Add(NumberOfKey(take.keys[take.counter_of[i]]));
      charges_.Add(NumberOfPolicy(*charge.policy, now));
      AddCharge(charge, take.give_back() != nullptr);
    }
    if (take.give_back() == nullptr) return;
    const Algorithm algorithm = take.charges[0].policy->algorithm;
    WriteState(algorithm, take.give_back()->made, charges_);
    WriteState(algorithm, take.give_back()->kept, charges_);
  }

  const std::vector<absl::string_view>& keys() const { return keys_; }
  const std::string& policies() const { return policies_.text(); }
  const std::string& charges() const { return charges_.text(); }

 private:
  int64_t NumberOfKey(absl::string_view key) {
    const auto [it, added] =
        numbers_of_keys_.try_emplace(key, keys_.size() + 1);
    if (added) keys_.push_back(key);
    return static_cast<int64_t>(it->second);
  }

  int64_t NumberOfPolicy(const Policy& policy, absl::Time now) {
    const auto [it, added] = numbers_of_policies_.try_emplace(
        std::pair(&policy, now), numbers_of_policies_.size() + 1);
    if (added) WritePolicy(policy, now, policies_);
    return static_cast<int64_t>(it->second);
  }

  static int64_t ModeOf(const PendingTake& take) {
    if (take.accounting == Accounting::kIndependent) return 1;
    return take.denied() ? 2 : 0;
  }

  void AddCharge(const Charge& charge, bool is_give_back) {
    constexpr int64_t kGiveBackKind = 7;
    charges_.Add(is_give_back ? kGiveBackKind
                              : static_cast<int64_t>(charge.kind));
    const int64_t cost = charge.kind == ChargeKind::kPeek
                             ? 0
                             : ClampTo(charge.cost, -kMaxAmount, kMaxAmount);
    charges_.Add(cost);
    const int64_t cost_ns = charge.policy->algorithm == Algorithm::kTokenBucket
                                ? BucketCostNs(*charge.policy, cost)
                                : 0;
    AddNanoseconds(cost_ns, charges_);
    if (charge.policy->queue || cost < 0) WriteBooking(charge, charges_);
  }

  std::vector<absl::string_view> keys_;
  absl::flat_hash_map<absl::string_view, size_t> numbers_of_keys_;
  absl::flat_hash_map<std::pair<const Policy*, absl::Time>, size_t>
      numbers_of_policies_;
  PackedWriter policies_;
  PackedWriter charges_;
};

class TakeCall final : public ScriptCall {
 public:
  TakeCall(PendingTakes pending, absl::Time now)
      : ScriptCall(Script::kTake, std::move(pending)) {
    ArgumentWriter writer;
    for (const std::unique_ptr<PendingTake>& take : takes()) {
      writer.Add(*take, take->calendar_now.value_or(now));
      charge_counts_.push_back(take->charges.size());
    }
    AddWord(static_cast<int64_t>(writer.keys().size()));
    for (const absl::string_view key : writer.keys()) AddWord(key);
    AddWord(writer.policies());
    AddWord(writer.charges());
  }

  absl::Status OnReply(absl::string_view packed,
                       CounterListener& listener) override {
    PackedReader reader(packed);
    const auto bad = [] {
      return absl::UnavailableError("not a valid reply of take.lua");
    };
    const std::optional<absl::Time> head = ReadHead(reader, listener);
    if (!head.has_value()) return bad();
    const absl::Time now = *head;
    for (size_t i = 0; i < takes().size(); ++i) {
      if (reader.left() == 0) return bad();
      const int64_t flag = reader.Integer();
      if (flag != 0 && flag != 1) return bad();
      const bool reached = flag == 1;
      if (reached && reader.left() < 3 * charge_counts_[i]) return bad();
      if (takes()[i] == nullptr) {
        for (size_t n = reached ? 3 * charge_counts_[i] : 0; n > 0; --n) {
          reader.Integer();
        }
      } else if (reached) {
        ReadAndAnswer(*takes()[i], now, reader, listener);
        takes()[i].reset();
      } else {
        takes()[i]->calendar_now = now;
      }
    }
    return reader.at_end() ? absl::OkStatus() : bad();
  }

 private:
  static void ReadAndAnswer(PendingTake& take, absl::Time now,
                            PackedReader& reader, CounterListener& listener) {
    absl::InlinedVector<JudgedCounter, 4> counters(take.keys.size());
    for (size_t i = 0; i < take.charges.size(); ++i) {
      counters[take.counter_of[i]].before =
          ReadState(take.charges[i].policy->algorithm, reader);
    }
    Answer(take, now, absl::MakeSpan(counters), listener);
  }

  absl::InlinedVector<size_t, 8>
      charge_counts_;  // of each take, answered or not
};

}  // namespace

std::unique_ptr<ScriptCall> NewTakeCall(PendingTakes takes, absl::Time now) {
  return std::make_unique<TakeCall>(std::move(takes), now);
}

}  // namespace rls
