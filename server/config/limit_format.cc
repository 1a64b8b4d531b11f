#include "config/limit_format.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/lease_format.h"

namespace rls {
namespace {

constexpr int64_t kMaxBurst = UINT32_MAX;

template <typename Enum>
void ReadWord(const YamlMap& map, absl::string_view key,
              const std::vector<absl::string_view>& words, int first,
              Enum& into) {
  const YAML::Node* node = map.Find(key);
  if (node == nullptr) return;
  if (const auto index = map.reader().Word(*node, key, words)) {
    into = static_cast<Enum>(static_cast<int>(*index) + first);
  }
}

void ReadTimezone(const YamlMap& map, Policy& policy) {
  std::string name;
  const YAML::Node* node = map.ReadName("timezone", name);
  if (node == nullptr || name.empty()) return;
  if (!absl::LoadTimeZone(name, &policy.zone)) {
    map.reader().Unexpected(*node, "timezone",
                            "a name of the IANA time zone database, such as "
                            "Europe/Berlin");
  }
  if (policy.calendar == Calendar::kNone) {
    map.reader().Fail(*node, "timezone goes with calendar only");
  }
}

void CheckAlgorithm(const YamlMap& map, const Policy& policy) {
  if (policy.algorithm != Algorithm::kFixedWindow) {
    map.Refuse({"calendar", "burst_mode"},
               " goes with algorithm fixed_window only");
  }
  if (policy.algorithm == Algorithm::kSlidingWindow) {
    map.Refuse({"burst"}, " does not go with algorithm sliding_window");
  }
}

}  // namespace

const std::vector<absl::string_view>& LimitKeys() {
  static const auto* const keys = new std::vector<absl::string_view>{
      "algorithm",        "calendar", "timezone",   "burst", "burst_mode",
      "on_backend_error", "message",  "refundable", "lease"};
  return *keys;
}

std::vector<absl::string_view> WithLimitKeys(
    std::vector<absl::string_view> keys) {
  keys.insert(keys.end(), LimitKeys().begin(), LimitKeys().end());
  return keys;
}

std::optional<absl::Duration> ParseWindow(absl::string_view text) {
  absl::Duration length;
  int64_t days = 0;
  const size_t day = text.find('d');
  if (day != text.npos && absl::SimpleAtoi(text.substr(0, day), &days)) {
    text.remove_prefix(day + 1);
  }
  if (!text.empty() && !absl::ParseDuration(text, &length)) {
    return std::nullopt;
  }
  length += absl::Hours(24) * days;
  if (length < kMinWindow || length > kMaxWindow ||
      length % absl::Seconds(1) != absl::ZeroDuration()) {
    return std::nullopt;
  }
  return length;
}

void ReadAnswerKeys(const YamlMap& map, Rule& rule) {
  ReadOnBackendError(map, rule.on_backend_error);
  map.Read("refundable", rule.refundable);
  if (const YAML::Node* message = map.Find("message")) {
    if (auto text = map.reader().Text(*message, "message")) {
      rule.message = *std::move(text);
    }
  }
}

void ReadLimitKeys(const YamlMap& map, absl::string_view window_key,
                   Rule& rule) {
  Policy& policy = rule.policy;
  // In the order of the enumerations.
  ReadWord(map, "algorithm", {"fixed_window", "sliding_window", "token_bucket"},
           0, policy.algorithm);
  ReadWord(map, "burst_mode", {"earned", "upfront"}, 0, policy.burst_mode);
  ReadWord(map, "calendar", {"hour", "day", "week", "month", "year"}, 1,
           policy.calendar);
  ReadAnswerKeys(map, rule);
  map.ReadInteger("burst", 0, kMaxBurst, policy.burst);
  ReadTimezone(map, policy);
  CheckAlgorithm(map, policy);
  ReadLease(map, rule.lease);
  if (rule.lease.has_value() && policy.burst > 0 &&
      policy.algorithm == Algorithm::kFixedWindow &&
      policy.burst_mode == BurstMode::kEarned) {
    map.Refuse({"lease"}, " goes with burst_mode upfront only");
  }
  if (policy.calendar != Calendar::kNone && !window_key.empty()) {
    map.Refuse({"calendar"},
               absl::StrCat(" and ", window_key, " exclude each other"));
  }
}

std::vector<absl::string_view> WithRpsKeys(
    std::vector<absl::string_view> keys) {
  keys.insert(keys.end(), {"rps", "window_seconds"});
  return WithLimitKeys(std::move(keys));
}

void ReadRps(const YamlMap& map, Rule& rule) {
  if (map.ReadInteger("rps", 0, kMaxRps, rule.policy.limit) == nullptr &&
      map.node().IsMap()) {
    map.reader().Fail(map.node(),
                      absl::StrCat(map.what(),
                                   ": found no rps, expected the requests per "
                                   "window_seconds"));
  }
  int64_t seconds = 60;
  const bool has_window =
      map.ReadInteger("window_seconds", 1, absl::ToInt64Seconds(kMaxWindow),
                      seconds) != nullptr;
  rule.policy.window = absl::Seconds(seconds);
  ReadLimitKeys(map, has_window ? "window_seconds" : "", rule);
}

void ReadOnBackendError(const YamlMap& map, OnBackendError& policy) {
  ReadWord(map, "on_backend_error", {"error", "allow", "deny", "local"}, 0,
           policy);
}

void ReadAccounting(const YamlMap& map, Accounting& accounting) {
  ReadWord(map, "accounting", {"all_or_nothing", "independent"}, 0, accounting);
}

}  // namespace rls
