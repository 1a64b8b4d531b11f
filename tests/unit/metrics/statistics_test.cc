#include "metrics/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "metrics/process_metrics.h"
#include "metrics/statistic_name.h"
#include "metrics/statistics_text.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

HitCounts Total(uint64_t hits) {
  HitCounts counts = {};
  At(counts, Hit::kTotal) = hits;
  return counts;
}

uint64_t TotalOf(const StatisticsSnapshot& snapshot,
                 const StatisticsSnapshot::Path& path) {
  const auto it = snapshot.hits.find(path);
  return it == snapshot.hits.end() ? 0 : it->second[0];
}

std::string PathOf(const std::vector<std::string>& levels) {
  std::string path;
  for (const std::string& level : levels) Statistics::AppendLevel(level, path);
  return path;
}

TEST(StatisticNameTest, IsThatOfEnvoyproxyRatelimit) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"a:b|c", "a_b_c"},
      {"www.example.com", "www.example.com"},
      {"10.0.0.1", "10_0_0_1"},
      {"remote_address_10.0.0.1/8", "remote_address_10_0_0_1/8"},
      {"1.2.3", "1.2.3"},
      {"1.2.3.", "1.2.3."},
      {"1.2.3.4.5.6.7.8", "1_2_3_4.5_6_7_8"},
      {"1.2.3.4444", "1_2_3_4444"},
      {"a\nb", "a\\x0ab"},
  };
  for (const auto& [text, name] : cases) EXPECT_EQ(StatisticName(text), name);
}

TEST(StatisticsTest, OnePathHasOneCounterAfterAReloadToo) {
  const auto statistics = NewStatistics({});
  statistics->OfLimit({"d", "a"})->Add(Total(1));
  statistics->OfLimit({"d", "a"})->Add(Total(2));
  EXPECT_EQ(TotalOf(statistics->Read(), {"d", "a"}), 3u);
}

TEST(StatisticsTest, AValueAndALimitOfOneNameAreOnePath) {
  const auto statistics = NewStatistics({});
  statistics->OfLimit({"d", "a_1"})->Add(Total(1));
  statistics->OfValues(PathOf({"d", "a_1"}))->Add(Total(2));
  EXPECT_THAT(statistics->Read().hits, SizeIs(1));
  EXPECT_EQ(TotalOf(statistics->Read(), {"d", "a_1"}), 3u);
}

TEST(StatisticsTest, PathsWithoutHitsAreNotShown) {
  const auto statistics = NewStatistics({});
  statistics->OfLimit({"d", "a"});
  EXPECT_THAT(statistics->Read().hits, IsEmpty());
}

TEST(StatisticsTest, LimitsBeyondTheMaximumHaveNoName) {
  const auto statistics = NewStatistics({});
  std::vector<std::shared_ptr<HitStatistics>> held;
  for (size_t i = 0; i < kMaxLimitPaths + 5; ++i) {
    held.push_back(statistics->OfLimit({"d", absl::StrCat("k", i)}));
    held.back()->Add(Total(1));
  }
  EXPECT_THAT(statistics->Read().hits, SizeIs(kMaxLimitPaths));
  EXPECT_EQ(statistics->Read().unnamed, 5u);
  // Without the rules of the old configuration there is room again.
  held.clear();
  statistics->OfLimit({"d", "new"})->Add(Total(1));
  EXPECT_EQ(TotalOf(statistics->Read(), {"d", "new"}), 1u);
  EXPECT_EQ(statistics->Read().unnamed, 5u);
}

TEST(StatisticsTest, ValuesBeyondTheMaximumHaveNoPlace) {
  const auto statistics = NewStatistics({});
  size_t refused = 0;
  for (size_t i = 0; i < 2 * kMaxValuePaths; ++i) {
    HitStatistics* const hits =
        statistics->OfValues(PathOf({"d", absl::StrCat("v", i)}));
    if (hits != nullptr) hits->Add(Total(1));
    refused += hits == nullptr ? 1 : 0;
  }
  EXPECT_EQ(refused, kMaxValuePaths);
  EXPECT_THAT(statistics->Read().hits, SizeIs(kMaxValuePaths));
}

TEST(StatisticsTest, TheNamesOfLongValuesAreBoundedTogether) {
  const auto statistics = NewStatistics({});
  for (size_t i = 0; i < kMaxValuePaths; ++i) {
    std::string value = absl::StrCat(i);
    value.resize(kMaxPathBytes / 2, '\xff');  // a byte is shown as "\\xff"
    HitStatistics* const hits = statistics->OfValues(PathOf({"d", value}));
    if (hits != nullptr) hits->Add(Total(1));
  }
  size_t bytes = 0;
  const StatisticsSnapshot snapshot = statistics->Read();
  for (const auto& [path, unused] : snapshot.hits) {
    for (const std::string& level : path) bytes += level.size();
  }
  EXPECT_GT(bytes, kMaxValuePathBytes / 2);
  EXPECT_LT(bytes, kMaxValuePathBytes * 3 / 2);
}

TEST(StatisticsTest, LongPathsHaveNoPlace) {
  const auto statistics = NewStatistics({});
  const std::string longest(kMaxPathBytes, 'x');
  EXPECT_EQ(statistics->OfValues(PathOf({"d", longest})), nullptr);
  statistics->OfLimit({"d", longest})->Add(Total(3));
  EXPECT_EQ(statistics->Read().unnamed, 3u);
}

TEST(StatisticsTest, UnknownDomainsBeyondTheMaximumHaveNoName) {
  const auto statistics = NewStatistics({});
  for (size_t i = 0; i < kMaxUnknownDomains + 7; ++i) {
    statistics->CountUnknownDomain(absl::StrCat("d", i));
  }
  statistics->CountUnknownDomain("d0");
  const StatisticsSnapshot snapshot = statistics->Read();
  EXPECT_THAT(snapshot.unknown_domains, SizeIs(kMaxUnknownDomains));
  EXPECT_EQ(snapshot.unknown_domains.at("d0"), 2u);
  EXPECT_EQ(snapshot.unnamed, 7u);
}

TEST(StatisticsTest, LosesNoHitOfManyThreads) {
  const auto statistics = NewStatistics({});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto limit = statistics->OfLimit({"d", "a"});
      for (int n = 0; n < 1000; ++n) {
        limit->Add(Total(1));
        statistics->OfValues(PathOf({"d", absl::StrCat("v", n)}))
            ->Add(Total(1));
      }
    });
  }
  for (int i = 0; i < 10; ++i) statistics->Read();
  for (std::thread& thread : threads) thread.join();
  const StatisticsSnapshot snapshot = statistics->Read();
  EXPECT_EQ(TotalOf(snapshot, {"d", "a"}), 4000u);
  EXPECT_EQ(TotalOf(snapshot, {"d", "v999"}), 4u);
}

TEST(StatisticsTextTest, PrometheusSumsTheDeeperLevels) {
  const auto statistics = NewStatistics({});
  statistics->OfLimit({"d", "a"})->Add(Total(1));
  statistics->OfLimit({"d", "a", "b"})->Add(Total(2));
  statistics->OfLimit({"d", "a", "b", "c"})->Add(Total(4));
  statistics->OfLimit({"d", "a", "b", "c", "e"})->Add(Total(8));
  const std::string text = PrometheusText(statistics->Read(), false);
  const std::string name = "ratelimit_service_rate_limit_total_hits";
  EXPECT_THAT(text, HasSubstr(name + "{domain=\"d\",key1=\"a\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr(name + "{domain=\"d\",key1=\"a\",key2=\"b\"} 14\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE " + name + " counter\n"));
}

TEST(StatisticsTextTest, ADotInAValueMovesNoLabel) {
  const auto statistics = NewStatistics({});
  statistics->OfLimit({"d", "host_a.b", "path"})->Add(Total(1));
  EXPECT_THAT(PrometheusText(statistics->Read(), false),
              HasSubstr("{domain=\"d\",key1=\"host_a.b\",key2=\"path\"} 1\n"));
}

TEST(StatisticsTextTest, TheResponseTimeIsAHistogram) {
  const auto statistics = NewStatistics({});
  statistics->CountResponse(absl::Milliseconds(2));
  statistics->CountResponse(absl::Seconds(100));
  const std::string name = "ratelimit_service_response_time_seconds";
  const std::string labels = "{grpc_method=\"ShouldRateLimit\"";
  const std::string seconds = PrometheusText(statistics->Read(), false);
  EXPECT_THAT(seconds,
              HasSubstr(name + "_bucket" + labels + ",le=\"0.001\"} 0\n"));
  EXPECT_THAT(seconds,
              HasSubstr(name + "_bucket" + labels + ",le=\"0.0025\"} 1\n"));
  EXPECT_THAT(seconds,
              HasSubstr(name + "_bucket" + labels + ",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(seconds, HasSubstr(name + "_sum" + labels + "} 100.002\n"));
  EXPECT_THAT(PrometheusText(statistics->Read(), true),
              HasSubstr(name + "_bucket" + labels + ",le=\"2.5\"} 1\n"));
}

TEST(StatisticsTextTest, PlainTextHasTheNamesOfStatsd) {
  const auto statistics = NewStatistics({});
  statistics->OfLimit({"d", "a", "b"})->Add(Total(2));
  statistics->Count(ServiceCount::kConfigLoadError);
  statistics->Count(ServiceCount::kRedisError);
  statistics->CountUnknownDomain("e");
  statistics->CountResponse(absl::Milliseconds(4));
  const std::string text = PlainText(statistics->Read());
  for (const char* line :
       {"ratelimit.service.rate_limit.d.a.b.total_hits: 2\n",
        "ratelimit.service.config_load_error: 1\n",
        "ratelimit.service.call.should_rate_limit.redis_error: 1\n",
        "ratelimit.service.rate_limit.e.domain_not_found: 1\n",
        "ratelimit_server.ShouldRateLimit.total_requests: 1\n",
        "ratelimit_server.ShouldRateLimit.response_time.sum_ms: 4\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("over_limit")));
}

TEST(ProcessMetricsTest, HaveTheUsualNames) {
  const std::string text = ProcessMetricsText();
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_start_time_seconds",
        "process_open_fds", "process_max_fds"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("# TYPE ", name, " ")));
  }
}

}  // namespace
}  // namespace rls
