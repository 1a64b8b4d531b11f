#ifndef RLS_LIMIT_POLICY_H_
#define RLS_LIMIT_POLICY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace rls {

enum class Algorithm {
  kFixedWindow,
  kSlidingWindow,
  kTokenBucket,
  // One window that begins with its first charge, rounded down to the
  // millisecond, and never repeats. Only reservations use it; the configuration
  // has no word for it.
  kSingleWindow,
};

// Where the burst of a fixed window comes from.
enum class BurstMode {
  kEarned,   // quota that earlier windows left unused, banked up to `burst`
  kUpfront,  // every window gives limit + burst
};

// Windows that follow a calendar in a time zone instead of the Unix epoch.
// Weeks begin on Monday.
enum class Calendar { kNone, kHour, kDay, kWeek, kMonth, kYear };

// hour, day, week, month, year; "" for kNone.
absl::string_view CalendarWord(Calendar calendar);

// fixed_window, sliding_window, token_bucket, single_window.
absl::string_view AlgorithmWord(Algorithm algorithm);

// The largest limit, burst, cost and counter value; larger ones saturate. It is
// 2^53 - 1 because Redis scripts compute in doubles, and every store must give
// the same outcome.
inline constexpr int64_t kMaxAmount = (int64_t{1} << 53) - 1;

// A limit in units per window, its algorithm and its burst.
//
// With `queue`, a charge that does not fit now may book units of a later time
// (Charge::booking). Only token buckets, and fixed windows without a calendar,
// can queue.
//
// Units: `limit` and `burst` in 0..kMaxAmount; `window` in
// kMinWindow..kMaxWindow. With a `calendar`, `window` is not used.
struct Policy {
  Algorithm algorithm = Algorithm::kFixedWindow;
  BurstMode burst_mode = BurstMode::kEarned;
  Calendar calendar = Calendar::kNone;
  int64_t limit = 0;
  int64_t burst = 0;  // kFixedWindow and kTokenBucket only
  absl::Duration window = absl::Minutes(1);
  absl::TimeZone zone = absl::UTCTimeZone();
  bool queue = false;
};

inline constexpr absl::Duration kMinWindow = absl::Seconds(1);
inline constexpr absl::Duration kMaxWindow = absl::Hours(24 * 366);

// The longest wait for a booked slot.
inline constexpr absl::Duration kMaxBookingWait = absl::Hours(24);
// The most later windows in which a fixed window may book units. A booking also
// stays within kMaxBookingWait.
inline constexpr int64_t kMaxBookedWindows = 4096;

// Saturates an unsigned amount from the wire to 0..kMaxAmount.
inline int64_t SaturateAmount(uint64_t amount) {
  return amount > static_cast<uint64_t>(kMaxAmount)
             ? kMaxAmount
             : static_cast<int64_t>(amount);
}

}  // namespace rls

#endif  // RLS_LIMIT_POLICY_H_
