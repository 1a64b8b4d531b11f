#include "metrics/statistics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace rls {
namespace {

constexpr absl::string_view kService = "ratelimit.service.";
constexpr char kResponseTime[] = "ratelimit_server.ShouldRateLimit.";
constexpr char kMethod[] = "ShouldRateLimit";
constexpr double kMillisecondsPerSecond = 1000;

// By ServiceCount.
constexpr std::array<absl::string_view, kServiceCounts> kServiceNames = {
    "config_load_success", "config_load_error", "global_shadow_mode",
    "call.should_rate_limit.service_error",
    "call.should_rate_limit.redis_error"};

uint64_t Responses(const StatisticsSnapshot& snapshot) {
  return std::accumulate(snapshot.response_times.begin(),
                         snapshot.response_times.end(), uint64_t{0});
}

uint64_t Of(const StatisticsSnapshot& snapshot, ServiceCount kind) {
  return snapshot.service[static_cast<size_t>(kind)];
}

using LabelList = std::vector<prometheus::ClientMetric::Label>;

prometheus::ClientMetric CounterOf(LabelList labels, uint64_t value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = static_cast<double>(value);
  return metric;
}

class Exposition {
 public:
  void Add(std::string name, std::string help, prometheus::MetricType type,
           std::vector<prometheus::ClientMetric> metrics) {
    prometheus::MetricFamily family;
    family.name = std::move(name);
    family.help = std::move(help);
    family.type = type;
    family.metric = std::move(metrics);
    families_.push_back(std::move(family));
  }
  void AddCounter(std::string name, std::string help,
                  std::vector<prometheus::ClientMetric> metrics) {
    Add(std::move(name), std::move(help), prometheus::MetricType::Counter,
        std::move(metrics));
  }
  std::string Text() const {
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

LabelList LabelsOf(const StatisticsSnapshot::Path& path) {
  LabelList labels = {{"domain", path[0]}};
  if (path.size() > 1) labels.push_back({"key1", path[1]});
  if (path.size() > 2) labels.push_back({"key2", path[2]});
  return labels;
}

void AddHits(const StatisticsSnapshot& snapshot, Exposition& exposition) {
  constexpr size_t kShownNames = 3;
  std::map<StatisticsSnapshot::Path, HitCounts> sums;
  for (const auto& [path, counts] : snapshot.hits) {
    StatisticsSnapshot::Path shown = path;
    if (shown.size() > kShownNames) shown.resize(kShownNames);
    HitCounts& sum = sums[std::move(shown)];
    for (size_t i = 0; i < kHitKinds; ++i) sum[i] += counts[i];
  }
  for (size_t i = 0; i < kHitKinds; ++i) {
    std::vector<prometheus::ClientMetric> metrics;
    for (const auto& [path, counts] : sums) {
      metrics.push_back(CounterOf(LabelsOf(path), counts[i]));
    }
    exposition.AddCounter(
        absl::StrCat("ratelimit_service_rate_limit_", kHitNames[i]),
        "Hits by limit, as envoyproxy/ratelimit counts them",
        std::move(metrics));
  }
}

void AddResponseTime(const StatisticsSnapshot& snapshot, bool in_milliseconds,
                     Exposition& exposition) {
  const double unit = in_milliseconds ? kMillisecondsPerSecond : 1;
  prometheus::ClientMetric metric;
  metric.label = {{"grpc_method", kMethod}};
  prometheus::ClientMetric::Histogram& histogram = metric.histogram;
  histogram.sample_count = Responses(snapshot);
  histogram.sample_sum = snapshot.response_seconds * unit;
  uint64_t sum = 0;
  for (size_t i = 0; i < kResponseTimeBounds.size(); ++i) {
    sum += snapshot.response_times[i];
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = sum;
    bucket.upper_bound = kResponseTimeBounds[i] * unit;
    histogram.bucket.push_back(bucket);
  }
  exposition.Add("ratelimit_service_response_time_seconds",
                 "From a call's arrival to its answer",
                 prometheus::MetricType::Histogram, {metric});
}

void AddService(const StatisticsSnapshot& snapshot, Exposition& exposition) {
  const auto count = [&snapshot](LabelList labels, ServiceCount kind) {
    return CounterOf(std::move(labels), Of(snapshot, kind));
  };
  exposition.AddCounter(
      "ratelimit_service_should_rate_limit_error", "Calls that failed",
      {count({{"err_type", "redis_error"}}, ServiceCount::kRedisError),
       count({{"err_type", "service_error"}}, ServiceCount::kServiceError)});
  exposition.AddCounter(
      "ratelimit_service_total_requests", "Calls",
      {CounterOf({{"grpc_method", kMethod}}, Responses(snapshot))});
  exposition.AddCounter("ratelimit_service_config_load_success",
                        "Loads of the configuration without an error",
                        {count({}, ServiceCount::kConfigLoadSuccess)});
  exposition.AddCounter("ratelimit_service_config_load_error",
                        "Loads of the configuration with an error",
                        {count({}, ServiceCount::kConfigLoadError)});
  exposition.AddCounter("ratelimit_service_global_shadow_mode",
                        "Calls over a limit that SHADOW_MODE let pass",
                        {count({}, ServiceCount::kGlobalShadowMode)});
  std::vector<prometheus::ClientMetric> domains;
  for (const auto& [domain, requests] : snapshot.unknown_domains) {
    domains.push_back(CounterOf({{"domain", domain}}, requests));
  }
  exposition.AddCounter("ratelimit_service_rate_limit_domain_not_found",
                        "Calls for a domain that no configuration names",
                        std::move(domains));
  exposition.AddCounter("ratelimitd_statistics_unnamed_hits_total",
                        "Hits for whose path the table has no place",
                        {CounterOf({}, snapshot.unnamed)});
}

// A value may have dots, so several paths may have one name.
std::map<std::string, HitCounts> HitsByName(
    const StatisticsSnapshot& snapshot) {
  std::map<std::string, HitCounts> hits;
  for (const auto& [path, counts] : snapshot.hits) {
    HitCounts& sums = hits[absl::StrJoin(path, ".")];
    for (size_t i = 0; i < kHitKinds; ++i) sums[i] += counts[i];
  }
  return hits;
}

}  // namespace

void ForEachStatistic(
    const StatisticsSnapshot& snapshot,
    absl::FunctionRef<void(const std::string& name, uint64_t value)> visit) {
  const auto show = [&visit](const std::string& name, uint64_t value) {
    if (value > 0) visit(name, value);
  };
  for (const auto& [name, counts] : HitsByName(snapshot)) {
    const std::string prefix = absl::StrCat(kService, "rate_limit.", name, ".");
    for (size_t i = 0; i < kHitKinds; ++i) {
      show(absl::StrCat(prefix, kHitNames[i]), counts[i]);
    }
  }
  for (const auto& [domain, requests] : snapshot.unknown_domains) {
    show(absl::StrCat(kService, "rate_limit.", domain, ".domain_not_found"),
         requests);
  }
  for (size_t i = 0; i < kServiceCounts; ++i) {
    show(absl::StrCat(kService, kServiceNames[i]), snapshot.service[i]);
  }
  show(absl::StrCat(kResponseTime, "total_requests"), Responses(snapshot));
  show("ratelimitd.statistics.unnamed_hits", snapshot.unnamed);
}

std::string PlainText(const StatisticsSnapshot& snapshot) {
  std::string text;
  ForEachStatistic(snapshot, [&text](const std::string& name, uint64_t value) {
    absl::StrAppend(&text, name, ": ", value, "\n");
  });
  absl::StrAppend(&text, kResponseTime,
                  "response_time.count: ", Responses(snapshot), "\n",
                  kResponseTime, "response_time.sum_ms: ",
                  snapshot.response_seconds * kMillisecondsPerSecond, "\n");
  return text;
}

std::string PrometheusText(const StatisticsSnapshot& snapshot,
                           bool in_milliseconds) {
  Exposition exposition;
  AddHits(snapshot, exposition);
  AddService(snapshot, exposition);
  AddResponseTime(snapshot, in_milliseconds, exposition);
  return exposition.Text();
}

}  // namespace rls
