#include "config/tier_message.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace rls {
namespace {

std::string WindowText(const Policy& policy) {
  if (policy.calendar != Calendar::kNone) {
    return std::string(CalendarWord(policy.calendar));
  }
  const int64_t seconds = absl::ToInt64Seconds(policy.window);
  switch (seconds) {
    case 1:
      return "s";
    case 60:
      return "min";
    case 3600:
      return "hour";
    case 86400:
      return "day";
    default:
      return absl::StrCat(seconds, " s");
  }
}

}  // namespace

std::string TierMessage(std::string subject, const Rule& rule) {
  subject[0] = absl::ascii_toupper(static_cast<unsigned char>(subject[0]));
  return absl::StrCat("Rate limit exceeded. ", subject, ": ", rule.policy.limit,
                      rule.counted == Counted::kTokens ? " tokens/" : " req/",
                      WindowText(rule.policy));
}

}  // namespace rls
