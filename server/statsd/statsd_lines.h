#ifndef RLS_STATSD_STATSD_LINES_H_
#define RLS_STATSD_STATSD_LINES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "metrics/statistics.h"

namespace rls {

using StatsdTags = std::vector<std::pair<std::string, std::string>>;

// The statistics as lines of StatsD: the growth of each counter since the last
// call, without counters that have not grown.
//
// A response time is one line for each bucket of the histogram: the bound of
// the bucket in milliseconds, and the number of calls as sample rate.
//
// Threads: one at a time.
class StatsdLines {
 public:
  // `tags` of plain StatsD are a suffix of the name, `.__key=value`. Those of
  // DogStatsD are `|#key:value`.
  StatsdLines(StatsdTags tags, bool is_dog);

  // Lines without a line feed.
  std::vector<std::string> Growth(const StatisticsSnapshot& now);

 private:
  // `measure` is the part behind the name: "12|c".
  std::string Line(absl::string_view name, absl::string_view measure) const;

  std::string name_suffix_;
  std::string line_suffix_;
  absl::flat_hash_map<std::string, uint64_t> sent_;  // counters, by name
  decltype(StatisticsSnapshot::response_times) sent_times_ = {};
};

// Joins lines to packets of at most `most_bytes`, with a line feed behind each
// line. A longer line is a packet of its own.
std::vector<std::string> PacketsOf(const std::vector<std::string>& lines,
                                   size_t most_bytes);

}  // namespace rls

#endif  // RLS_STATSD_STATSD_LINES_H_
