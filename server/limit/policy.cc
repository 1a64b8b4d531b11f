#include "limit/policy.h"

namespace rls {

absl::string_view CalendarWord(Calendar calendar) {
  switch (calendar) {
    case Calendar::kNone:
      return "";
    case Calendar::kHour:
      return "hour";
    case Calendar::kDay:
      return "day";
    case Calendar::kWeek:
      return "week";
    case Calendar::kMonth:
      return "month";
    case Calendar::kYear:
      return "year";
  }
  return "";
}

absl::string_view AlgorithmWord(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kFixedWindow:
      return "fixed_window";
    case Algorithm::kSlidingWindow:
      return "sliding_window";
    case Algorithm::kTokenBucket:
      return "token_bucket";
    case Algorithm::kSingleWindow:
      return "single_window";
  }
  return "";
}

}  // namespace rls
