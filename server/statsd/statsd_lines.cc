#include "statsd/statsd_lines.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "metrics/statistics_text.h"

namespace rls {
namespace {

constexpr double kMillisecondsPerSecond = 1000;
constexpr char kResponseTime[] =
    "ratelimit_server.ShouldRateLimit.response_time";

// The growth from `before` to `now`. A counter that has begun anew, because its
// path was forgotten, has grown by all that it has.
uint64_t Grown(uint64_t before, uint64_t now) {
  return now >= before ? now - before : now;
}

}  // namespace

StatsdLines::StatsdLines(StatsdTags tags, bool is_dog) {
  std::sort(tags.begin(), tags.end());
  if (tags.empty()) return;
  if (is_dog) {
    line_suffix_ =
        absl::StrCat("|#", absl::StrJoin(tags, ",", absl::PairFormatter(":")));
    return;
  }
  for (const auto& [key, value] : tags) {
    absl::StrAppend(&name_suffix_, ".__", key, "=", value);
  }
}

std::vector<std::string> StatsdLines::Growth(const StatisticsSnapshot& now) {
  std::vector<std::string> lines;
  absl::flat_hash_map<std::string, uint64_t> seen;
  ForEachStatistic(now, [&](const std::string& name, uint64_t value) {
    const auto it = sent_.find(name);
    const uint64_t grown = Grown(it == sent_.end() ? 0 : it->second, value);
    seen.emplace(name, value);
    if (grown > 0) lines.push_back(Line(name, absl::StrCat(grown, "|c")));
  });
  sent_ = std::move(seen);
  for (size_t i = 0; i < now.response_times.size(); ++i) {
    const uint64_t calls = Grown(sent_times_[i], now.response_times[i]);
    if (calls == 0) continue;
    // Longer times than the last bound count as the bound.
    const double seconds =
        kResponseTimeBounds[std::min(i, kResponseTimeBounds.size() - 1)];
    lines.push_back(Line(
        kResponseTime,
        absl::StrCat(seconds * kMillisecondsPerSecond, "|ms",
                     calls == 1 ? ""
                                : absl::StrCat("|@", 1.0 / static_cast<double>(
                                                               calls)))));
  }
  sent_times_ = now.response_times;
  return lines;
}

std::string StatsdLines::Line(absl::string_view name,
                              absl::string_view measure) const {
  return absl::StrCat(name, name_suffix_, ":", measure, line_suffix_);
}

std::vector<std::string> PacketsOf(const std::vector<std::string>& lines,
                                   size_t most_bytes) {
  std::vector<std::string> packets;
  for (const std::string& line : lines) {
    if (packets.empty() ||
        packets.back().size() + line.size() + 1 > most_bytes) {
      packets.emplace_back();
    }
    absl::StrAppend(&packets.back(), line, "\n");
  }
  return packets;
}

}  // namespace rls
