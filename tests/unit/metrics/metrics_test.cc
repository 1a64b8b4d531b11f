#include "metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, WritesTheValuesOfAllKinds) {
  const auto metrics = NewMetrics();
  metrics->GetCounter({.name = "c_total", .help = "C", .labels = {{"a", "b"}}})
      .Add(2);
  metrics->GetGauge({.name = "g", .help = "G"}).Set(-1.5);
  metrics->GetHistogram({.name = "h", .help = "H"}, {1, 2}).Observe(1.5);
  const std::string text = metrics->Text();
  EXPECT_THAT(text, HasSubstr("# TYPE c_total counter"));
  EXPECT_THAT(text, HasSubstr("c_total{a=\"b\"} 2"));
  EXPECT_THAT(text, HasSubstr("g -1.5"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"1\"} 0"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"2\"} 1"));
}

TEST(MetricsTest, TheSameLabelsAreTheSameSeries) {
  const auto metrics = NewMetrics();
  const MetricId id{.name = "c", .help = "C", .labels = {{"a", "b"}}};
  EXPECT_EQ(&metrics->GetCounter(id), &metrics->GetCounter(id));
}

TEST(MetricsTest, LabelValuesMayHoldAnyBytes) {
  const auto metrics = NewMetrics();
  metrics
      ->GetCounter({.name = "c", .help = "C", .labels = {{"a", "\xff\"\n\\"}}})
      .Add(1);
  EXPECT_THAT(metrics->Text(), HasSubstr("c{a=\"\\\\xff\\\"\\\\x0a\\\\\"} 1"));
}

TEST(MetricsTest, SeriesBeyondTheMaximumShareOneSeries) {
  const auto metrics = NewMetrics();
  for (int i = 0; i < kMaxSeriesPerName + 10; ++i) {
    metrics
        ->GetCounter(
            {.name = "c", .help = "C", .labels = {{"a", absl::StrCat("v", i)}}})
        .Add(1);
  }
  EXPECT_THAT(metrics->Text(), HasSubstr("c{a=\"other\"} 10"));
  EXPECT_THAT(
      metrics->Text(),
      HasSubstr(
          "ratelimitd_metrics_unnamed_label_sets_total{metric=\"c\"} 10"));
  EXPECT_THAT(metrics->Text(), HasSubstr("c{a=\"v1999\"} 1"));
  EXPECT_THAT(metrics->Text(), Not(HasSubstr("v2000")));
}

TEST(MetricsTest, LosesNoCountOfManyThreadsWhileItIsRead) {
  const auto metrics = NewMetrics();
  Counter& counter = metrics->GetCounter({.name = "c", .help = "C"});
  Histogram& histogram =
      metrics->GetHistogram({.name = "h", .help = "H"}, {1, 2});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) {
        counter.Add(2);
        histogram.Observe(n % 2 == 0 ? 1 : 3);
      }
    });
  }
  for (int i = 0; i < 20; ++i) metrics->Text();
  for (std::thread& thread : threads) thread.join();
  const std::string text = metrics->Text();
  EXPECT_THAT(text, HasSubstr("c 160000"));
  EXPECT_THAT(text, HasSubstr("h_count 80000"));
  EXPECT_THAT(text, HasSubstr("h_sum 160000"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"1\"} 40000"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"2\"} 40000"));
}

}  // namespace
}  // namespace rls
