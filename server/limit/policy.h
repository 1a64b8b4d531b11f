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
  // One window that begins with its first charge, to the millisecond, and does
  // not come again. No configuration can ask for it: it keeps reservations.
  kSingleWindow,
};

// How a fixed window's `burst` is come by (DESIGN section 5).
enum class BurstMode {
  kEarned,   // quota left unused in earlier windows, banked up to `burst`
  kUpfront,  // limit + burst at once in every window
};

// Windows that follow a calendar in a time zone instead of the Unix epoch.
// Weeks begin on Monday.
enum class Calendar { kNone, kHour, kDay, kWeek, kMonth, kYear };

// hour, day, week, month, year; "" for kNone.
absl::string_view CalendarWord(Calendar calendar);

// fixed_window, sliding_window, token_bucket, single_window.
absl::string_view AlgorithmWord(Algorithm algorithm);

// The largest amount of anything that is counted: limits, bursts, costs and
// counters saturate here. 2^53 - 1, because Redis scripts compute in doubles,
// and every store must give the same outcome.
inline constexpr int64_t kMaxAmount = (int64_t{1} << 53) - 1;

// A limit: so many units per window, with an algorithm and, if any, a burst.
//
// With `queue`, a charge that does not fit now may book units of a later time
// (Charge::booking); fixed windows of a length, and token buckets, only.
//
// Units: `limit` and `burst` in 0..kMaxAmount; `window` is one second or more
// (a year at most, kMaxWindow). With a `calendar`, `window` is not read.
struct Policy {
  Algorithm algorithm = Algorithm::kFixedWindow;
  BurstMode burst_mode = BurstMode::kEarned;
  Calendar calendar = Calendar::kNone;
  int64_t limit = 0;
  int64_t burst = 0;  // of kFixedWindow and kTokenBucket
  absl::Duration window = absl::Minutes(1);
  absl::TimeZone zone = absl::UTCTimeZone();
  bool queue = false;
};

inline constexpr absl::Duration kMinWindow = absl::Seconds(1);
inline constexpr absl::Duration kMaxWindow = absl::Hours(24 * 366);

// No charge waits longer for what it has booked.
inline constexpr absl::Duration kMaxBookingWait = absl::Hours(24);
// A fixed window runs into so many windows after it at most, and into no more
// than begin within kMaxBookingWait.
inline constexpr int64_t kMaxBookedWindows = 4096;

// An unsigned amount from the wire, saturated to 0..kMaxAmount.
inline int64_t SaturateAmount(uint64_t amount) {
  return amount > static_cast<uint64_t>(kMaxAmount)
             ? kMaxAmount
             : static_cast<int64_t>(amount);
}

}  // namespace rls

#endif  // RLS_LIMIT_POLICY_H_
