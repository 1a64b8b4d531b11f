#ifndef RLS_METRICS_STATISTICS_TEXT_H_
#define RLS_METRICS_STATISTICS_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "metrics/statistics.h"

namespace rls {

// Runs `visit` for each counter that is not 0, with the name that
// envoyproxy/ratelimit has for it: ratelimit.service.rate_limit.shop.user.
// total_hits. Not for the response time.
void ForEachStatistic(
    const StatisticsSnapshot& snapshot,
    absl::FunctionRef<void(const std::string& name, uint64_t value)> visit);

// "name: value", one line for each of these counters, and the response time as
// count and sum in milliseconds.
std::string PlainText(const StatisticsSnapshot& snapshot);

// Prometheus text exposition format, with the names and labels of
// envoyproxy/ratelimit: the first two levels of a path are the labels key1 and
// key2, and paths that differ only in deeper levels are one series.
// `in_milliseconds`: the response time, whose name then still has `seconds`.
std::string PrometheusText(const StatisticsSnapshot& snapshot,
                           bool in_milliseconds);

}  // namespace rls

#endif  // RLS_METRICS_STATISTICS_TEXT_H_
