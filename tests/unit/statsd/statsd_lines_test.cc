#include "statsd/statsd_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class StatsdLinesTest : public ::testing::Test {
 protected:
  void AddHits(uint64_t total) {
    HitCounts counts = {};
    At(counts, Hit::kTotal) = total;
    statistics_->OfLimit({"d", "a"})->Add(counts);
  }

  const std::unique_ptr<Statistics> statistics_ = NewStatistics({});
};

TEST_F(StatsdLinesTest, EachCallHasTheGrowthSinceTheLast) {
  StatsdLines lines({}, /*is_dog=*/false);
  AddHits(3);
  const std::string name = "ratelimit.service.rate_limit.d.a.total_hits";
  EXPECT_THAT(lines.Growth(statistics_->Read()), ElementsAre(name + ":3|c"));
  EXPECT_THAT(lines.Growth(statistics_->Read()), IsEmpty());
  AddHits(2);
  statistics_->Count(ServiceCount::kConfigLoadSuccess);
  EXPECT_THAT(lines.Growth(statistics_->Read()),
              UnorderedElementsAre(
                  name + ":2|c", "ratelimit.service.config_load_success:1|c"));
}

TEST_F(StatsdLinesTest, ACounterThatBeganAnewCountsWhole) {
  StatsdLines lines({}, false);
  AddHits(5);
  lines.Growth(statistics_->Read());
  StatisticsSnapshot anew;
  anew.hits[{"d", "a"}] = {2};
  EXPECT_THAT(lines.Growth(anew),
              ElementsAre("ratelimit.service.rate_limit.d.a.total_hits:2|c"));
}

// Values of requests may have dots.
TEST_F(StatsdLinesTest, PathsOfOneNameAreOneCounter) {
  StatsdLines lines({}, false);
  StatisticsSnapshot now;
  now.hits[{"d", "a.b", "c"}] = {9};
  now.hits[{"d", "a", "b.c"}] = {2};
  EXPECT_THAT(
      lines.Growth(now),
      ElementsAre("ratelimit.service.rate_limit.d.a.b.c.total_hits:11|c"));
  EXPECT_THAT(lines.Growth(now), IsEmpty());
}

TEST_F(StatsdLinesTest, TagsAreSorted) {
  const StatsdTags tags = {{"zone", "a"}, {"cell", "b"}};
  AddHits(1);
  EXPECT_THAT(StatsdLines(tags, false).Growth(statistics_->Read()),
              ElementsAre("ratelimit.service.rate_limit.d.a.total_hits"
                          ".__cell=b.__zone=a:1|c"));
  EXPECT_THAT(StatsdLines(tags, true).Growth(statistics_->Read()),
              ElementsAre("ratelimit.service.rate_limit.d.a.total_hits:1|c"
                          "|#cell:b,zone:a"));
}

TEST_F(StatsdLinesTest, TheResponseTimeHasALineForEachBucket) {
  StatsdLines lines({}, false);
  for (int i = 0; i < 4; ++i) statistics_->CountResponse(absl::Milliseconds(2));
  statistics_->CountResponse(absl::Seconds(100));
  const std::string name = "ratelimit_server.ShouldRateLimit.";
  EXPECT_THAT(lines.Growth(statistics_->Read()),
              ElementsAre(name + "total_requests:5|c",
                          name + "response_time:2.5|ms|@0.25",
                          name + "response_time:5000|ms"));
  EXPECT_THAT(lines.Growth(statistics_->Read()), IsEmpty());
}

TEST(PacketsOfTest, FillsPacketsWithWholeLines) {
  EXPECT_THAT(PacketsOf({}, 10), IsEmpty());
  EXPECT_THAT(PacketsOf({"1234", "1234", "1"}, 10),
              ElementsAre("1234\n1234\n", "1\n"));
  EXPECT_THAT(PacketsOf({"12345", "1234"}, 10),
              ElementsAre("12345\n", "1234\n"));
  EXPECT_THAT(PacketsOf({"1", "123456789012", "1"}, 10),
              ElementsAre("1\n", "123456789012\n", "1\n"));
}

}  // namespace
}  // namespace rls
