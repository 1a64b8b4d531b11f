#include "config/usage_format.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "config/limit_format.h"
#include "rules/domain.h"

namespace rls {
namespace {

constexpr int64_t kMaxTokens = 1'000'000'000'000'000;

absl::string_view WordOf(Counted counted) {
  return counted == Counted::kTokens ? "tokens" : "requests";
}

// Identifies a limit within its tier: "requests/1m". The scope of its counter
// contains the same text, so a tier cannot have it twice.
std::string ShapeOf(const Rule& rule) {
  return absl::StrCat(WordOf(rule.counted), CounterScope("", rule.policy));
}

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

// One entry of `limits`.
class Entry {
 public:
  // `common` has the tier's settings for all its limits.
  Entry(YamlReader& reader, const YamlNode& node, Rule common)
      : map_(reader, node, "an entry of limits",
             {"requests", "tokens", "per", "timezone", "algorithm", "burst",
              "burst_mode", "lease"}),
        rule_(std::move(common)) {
    if (!node.IsMap()) return;
    ReadAmount();
    ReadPer();
    ReadLimitKeys(map_, "", rule_);
    CheckCalendar();
  }

  const YamlMap& map() const { return map_; }
  Rule& rule() { return rule_; }

 private:
  void ReadAmount() {
    Policy& policy = rule_.policy;
    const YamlNode* const requests =
        map_.ReadInteger("requests", 0, kMaxRps, policy.limit);
    const YamlNode* const tokens =
        map_.ReadInteger("tokens", 0, kMaxTokens, policy.limit);
    if (requests != nullptr && tokens != nullptr) {
      map_.Refuse({"tokens"}, " and requests cannot be combined");
    }
    if (requests == nullptr && tokens == nullptr) {
      map_.reader().Fail(map_.node(),
                         "limits: an entry without requests or tokens");
    }
    if (tokens == nullptr) return;
    rule_.counted = Counted::kTokens;
    rule_.name = "tokens";
  }

  void ReadPer() {
    const YamlNode* const per = map_.Find("per");
    if (per == nullptr) {
      map_.reader().Fail(
          map_.node(),
          absl::StrCat("limits: an entry without per, expected ", kExpected));
      return;
    }
    const auto text = map_.reader().Text(*per, "per");
    if (!text.has_value()) return;
    Policy& policy = rule_.policy;
    const WindowUnit* const unit = FindUnit(*text);
    if (unit != nullptr && unit->calendar != Calendar::kNone) {
      policy.calendar = unit->calendar;
    } else if (unit != nullptr) {
      policy.window = unit->length;
    } else if (const auto length = ParseWindow(*text)) {
      policy.window = *length;
    } else {
      map_.reader().Unexpected(
          *per, "per", absl::StrCat(kExpected, DidYouMean(*text, UnitWords())));
    }
  }

  void CheckCalendar() {
    if (rule_.policy.calendar == Calendar::kNone ||
        rule_.policy.algorithm == Algorithm::kFixedWindow) {
      return;
    }
    map_.Refuse({"per"}, absl::StrCat(": a calendar window requires algorithm "
                                      "fixed_window, expected ",
                                      kWindowText));
  }

  static constexpr char kExpected[] =
      "second, minute, hour, day, week, month or year, or whole seconds from "
      "1s to 366d, such as 30s, 5m or 1h30m";

  const YamlMap map_;
  Rule rule_;
};

void ReadSeveral(const YamlMap& map, const YamlNode& list,
                 const std::string& subject, Rule& rule,
                 absl::FunctionRef<void(const YamlMap&, Rule&)> finish) {
  YamlReader& reader = map.reader();
  if (!list.IsSequence() || list.size() == 0) {
    reader.Unexpected(list, "limits",
                      "a list with an entry or more, such as "
                      "[{requests: 50, per: 1m}]");
    return;
  }
  if (list.size() > kMaxLimitsOfTier) {
    reader.Fail(
        list, absl::StrCat("limits: more than ", kMaxLimitsOfTier, " entries"));
    return;
  }
  const Rule common = rule;
  std::vector<std::string> shapes;
  for (const YamlNode& item : list.Items()) {
    Entry entry(reader, item, common);
    Rule& one = entry.rule();
    const std::string shape = ShapeOf(one);
    if (std::find(shapes.begin(), shapes.end(), shape) != shapes.end()) {
      reader.Fail(item,
                  absl::StrCat("limits: a limit of ", shape, " occurs twice"));
    }
    absl::StrAppend(&one.path, " ", shape);
    if (one.message.empty()) one.message = TierMessage(subject, one);
    finish(entry.map(), one);
    if (shapes.empty()) {
      rule = std::move(one);
    } else {
      rule.more.push_back(std::move(one));
    }
    shapes.push_back(shape);
  }
}

// Reads `reserve:`, which makes all limits of tokens reserve.
void ReadReserve(const YamlMap& map, Rule& rule) {
  const YamlNode* const node = map.Find("reserve");
  if (node == nullptr) return;
  if (!map.reader().Word(*node, "reserve", {"estimated"}).has_value()) return;
  bool any = false;
  const auto reserve = [&](Rule& one) {
    if (one.counted != Counted::kTokens) return;
    if (one.lease.has_value()) {
      map.reader().Fail(*node, "reserve cannot be combined with lease");
    }
    // A report may give back a part of the reservation.
    one.reserves = one.refundable = any = true;
  };
  reserve(rule);
  for (Rule& one : rule.more) reserve(one);
  if (!any) {
    map.reader().Fail(
        *node, absl::StrCat("reserve: found no limit of tokens in ", map.what(),
                            ", expected one in limits, such as "
                            "{tokens: 100000, per: 1m}"));
  }
}

}  // namespace

std::vector<absl::string_view> WithLimitsKeys(
    std::vector<absl::string_view> keys) {
  keys.insert(keys.end(), {"limits", "reserve"});
  return WithRpsKeys(std::move(keys));
}

void ReadLimits(const YamlMap& map, const std::string& subject, Rule& rule,
                absl::FunctionRef<void(const YamlMap&, Rule&)> finish) {
  if (const YamlNode* list = map.Find("limits")) {
    map.Refuse({"rps", "window_seconds", "algorithm", "calendar", "timezone",
                "burst", "burst_mode", "lease"},
               " cannot be combined with limits: each entry has its own");
    ReadAnswerKeys(map, rule);
    ReadSeveral(map, *list, subject, rule, finish);
  } else {
    ReadRps(map, rule);
    if (rule.message.empty()) rule.message = TierMessage(subject, rule);
    finish(map, rule);
  }
  ReadReserve(map, rule);
}

void ReadUsage(const YamlMap& map, UsageSpec& usage) {
  const YamlNode* node = map.Find("usage");
  if (node == nullptr) return;
  const YamlMap entries(
      map.reader(), *node, "usage",
      {"report_key", "tokens_key", "request_id_key", "reserve_ttl"});
  entries.ReadName("report_key", usage.report_key);
  entries.ReadName("tokens_key", usage.tokens_key);
  entries.ReadName("request_id_key", usage.request_id_key);
  entries.ReadDuration("reserve_ttl", absl::Seconds(1), absl::Hours(24),
                       usage.reserve_ttl);
  if (usage.report_key == usage.tokens_key ||
      usage.report_key == usage.request_id_key ||
      usage.tokens_key == usage.request_id_key) {
    map.reader().Fail(
        *node, "usage: found one key twice, expected three different keys");
  }
}

std::string TierMessage(std::string subject, const Rule& rule) {
  subject[0] = absl::ascii_toupper(static_cast<unsigned char>(subject[0]));
  return absl::StrCat("Rate limit exceeded. ", subject, ": ", rule.policy.limit,
                      rule.counted == Counted::kTokens ? " tokens/" : " req/",
                      WindowText(rule.policy));
}

std::string LimitsText(const Rule& rule) {
  std::string text = absl::StrCat(rule.policy.limit, " ", ShapeOf(rule));
  for (const Rule& one : rule.more) {
    absl::StrAppend(&text, ", ", one.policy.limit, " ", ShapeOf(one));
  }
  return text;
}

}  // namespace rls
