#include "config/limit_format.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace rls {
namespace {

constexpr int64_t kMaxBurst = UINT32_MAX;
// Each held request occupies one of the 100,000 calls of its gRPC queue.
constexpr int64_t kMaxQueued = 90'000;

// Reads an enumerator. `words` has the order of the enumerators.
template <typename Enum>
void ReadWord(const YamlMap& map, absl::string_view key,
              const std::vector<absl::string_view>& words, Enum& into) {
  const YamlNode* node = map.Find(key);
  if (node == nullptr) return;
  if (const auto index = map.reader().Word(*node, key, words)) {
    into = static_cast<Enum>(*index);
  }
}

void ReadCalendar(const YamlMap& map, Calendar& calendar) {
  const YamlNode* node = map.Find("calendar");
  if (node == nullptr) return;
  std::vector<absl::string_view> words;
  for (const WindowUnit& unit : WindowUnits()) {
    if (unit.calendar != Calendar::kNone) words.push_back(unit.word);
  }
  if (const auto index = map.reader().Word(*node, "calendar", words)) {
    calendar = FindUnit(words[*index])->calendar;
  }
}

void ReadTimezone(const YamlMap& map, Policy& policy) {
  std::string name;
  const YamlNode* node = map.ReadName("timezone", name);
  if (node == nullptr || name.empty()) return;
  if (!absl::LoadTimeZone(name, &policy.zone)) {
    map.reader().Unexpected(*node, "timezone",
                            "a name of the IANA time zone database, such as "
                            "Europe/Berlin");
  }
  if (policy.calendar == Calendar::kNone) {
    map.reader().Fail(*node, "timezone requires a calendar window");
  }
}

void CheckAlgorithm(const YamlMap& map, const Policy& policy) {
  if (policy.algorithm != Algorithm::kFixedWindow) {
    map.Refuse({"calendar", "burst_mode"}, " requires algorithm fixed_window");
  }
  if (policy.algorithm == Algorithm::kSlidingWindow) {
    map.Refuse({"burst"}, " cannot be combined with algorithm sliding_window");
  }
}

// Returns the millionths of a share such as `5%`, nullopt for any other text.
std::optional<int64_t> ParseShare(absl::string_view text) {
  double percent = 0;
  if (!absl::ConsumeSuffix(&text, "%") || !absl::SimpleAtod(text, &percent)) {
    return std::nullopt;
  }
  const double ppm = std::round(percent * static_cast<double>(kPpmOfPercent));
  if (!(ppm >= 1 && ppm <= static_cast<double>(kMaxLeaseSharePpm))) {
    return std::nullopt;
  }
  return static_cast<int64_t>(ppm);
}

// Reads `lease:` of a limit. Defaults: {max_share: 5%, ttl: 1s}.
void ReadLease(const YamlMap& map, std::optional<LeaseTerms>& lease) {
  const YamlNode* const node = map.Find("lease");
  if (node == nullptr) return;
  LeaseTerms& terms = lease.emplace();
  const YamlMap entries(map.reader(), *node, "lease", {"max_share", "ttl"});
  entries.ReadDuration("ttl", kMinLeaseTtl, kMaxLeaseTtl, terms.ttl);
  const YamlNode* const share = entries.Find("max_share");
  if (share == nullptr) return;
  const auto text = map.reader().Text(*share, "max_share");
  if (!text.has_value()) return;
  if (const auto ppm = ParseShare(*text)) {
    terms.max_share_ppm = *ppm;
  } else {
    map.reader().Unexpected(*share, "max_share",
                            "a share of the limit from 0.0001% to 50%, such as "
                            "5%");
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

absl::Span<const WindowUnit> WindowUnits() {
  static const WindowUnit kUnits[] = {
      {"second", absl::Seconds(1)},
      {"minute", absl::Minutes(1)},
      {"hour", absl::Hours(1), Calendar::kHour},
      {"day", absl::Hours(24), Calendar::kDay},
      {"week", absl::Hours(7 * 24), Calendar::kWeek},
      {"month", absl::Hours(30 * 24), Calendar::kMonth},
      {"year", absl::Hours(365 * 24), Calendar::kYear},
  };
  return kUnits;
}

const std::vector<absl::string_view>& UnitWords() {
  static const auto* const words = [] {
    auto* const list = new std::vector<absl::string_view>;
    for (const WindowUnit& unit : WindowUnits()) list->push_back(unit.word);
    return list;
  }();
  return *words;
}

const WindowUnit* FindUnit(absl::string_view word) {
  for (const WindowUnit& unit : WindowUnits()) {
    if (unit.word == word) return &unit;
  }
  return nullptr;
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
  if (const YamlNode* message = map.Find("message")) {
    if (auto text = map.reader().Text(*message, "message")) {
      rule.message = *std::move(text);
    }
  }
}

void ReadLimitKeys(const YamlMap& map, absl::string_view window_key,
                   Rule& rule) {
  Policy& policy = rule.policy;
  ReadWord(map, "algorithm", {"fixed_window", "sliding_window", "token_bucket"},
           policy.algorithm);
  ReadWord(map, "burst_mode", {"earned", "upfront"}, policy.burst_mode);
  ReadCalendar(map, policy.calendar);
  ReadAnswerKeys(map, rule);
  map.ReadInteger("burst", 0, kMaxBurst, policy.burst);
  ReadTimezone(map, policy);
  CheckAlgorithm(map, policy);
  ReadLease(map, rule.lease);
  if (rule.lease.has_value() && policy.burst > 0 &&
      policy.algorithm == Algorithm::kFixedWindow &&
      policy.burst_mode == BurstMode::kEarned) {
    map.Refuse({"lease"}, " with a burst requires burst_mode upfront");
  }
  if (policy.calendar != Calendar::kNone && !window_key.empty()) {
    map.Refuse({"calendar"},
               absl::StrCat(" and ", window_key, " cannot be combined"));
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
  ReadWord(map, "on_backend_error", {"error", "allow", "deny", "local"},
           policy);
}

bool ReadPrefixes(const YamlMap& map, NetworkPrefixes& prefixes) {
  int64_t ipv4 = prefixes.ipv4;
  int64_t ipv6 = prefixes.ipv6;
  const YamlNode* const v4 = map.ReadInteger("ipv4_prefix", 0, 32, ipv4);
  const YamlNode* const v6 = map.ReadInteger("ipv6_prefix", 0, 128, ipv6);
  prefixes.ipv4 = static_cast<int>(ipv4);
  prefixes.ipv6 = static_cast<int>(ipv6);
  return v4 != nullptr || v6 != nullptr;
}

void ReadAccounting(const YamlMap& map, Accounting& accounting) {
  ReadWord(map, "accounting", {"all_or_nothing", "independent"}, accounting);
}

std::optional<bool> ReadSecret(const YamlMap& map) {
  bool is_secret = false;
  bool is_public = false;
  map.Read("secret", is_secret);
  map.Read("public", is_public);
  if (is_secret && is_public) {
    map.Refuse({"public"}, " and secret cannot be combined");
  }
  if (is_secret || is_public) return is_secret;
  return std::nullopt;
}

void ReadQueue(const YamlMap& map, QueueRule& queue) {
  const YamlNode* node = map.Find("queue");
  if (node == nullptr) return;
  const YamlMap entries(map.reader(), *node, "queue",
                        {"max_wait", "max_queued", "max_queued_per_user"});
  entries.ReadDuration("max_wait", absl::Milliseconds(1), kMaxBookingWait,
                       queue.max_wait);
  entries.ReadInteger("max_queued", 1, kMaxQueued, queue.max_queued);
  entries.ReadInteger("max_queued_per_user", 1, kMaxQueued,
                      queue.max_queued_per_user);
}

void MakeQueue(const YamlMap& map, const QueueRule& queue, Rule& rule) {
  if (rule.policy.algorithm == Algorithm::kSlidingWindow) {
    map.Refuse(
        {"algorithm"},
        " sliding_window cannot be combined with enforce: queue; expected "
        "fixed_window or token_bucket");
    return;
  }
  if (rule.policy.calendar != Calendar::kNone) return;
  map.Refuse({"lease"}, " cannot be combined with enforce: queue");
  rule.policy.queue = true;
  rule.queue = queue;
}

}  // namespace rls
