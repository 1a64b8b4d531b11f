#include "tiers/tier_cache.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using Age = CachedTier::Age;

class TierCacheTest : public ::testing::Test {
 protected:
  Age AgeOf(absl::string_view user, int second) const {
    return cache_.Find(user, absl::Seconds(second)).age;
  }
  std::optional<std::string> TierOf(absl::string_view user) const {
    return cache_.Find(user, absl::ZeroDuration()).tier;
  }

  const TierSourceSpec spec_{.ttl = absl::Seconds(60),
                             .stale = absl::Seconds(20),
                             .negative_ttl = absl::Seconds(10),
                             .max_cached = 3};
  TierCache cache_{spec_};
};

TEST_F(TierCacheTest, AnUnknownUserIsExpiredAndHasNoTier) {
  EXPECT_EQ(AgeOf("u", 0), Age::kExpired);
  EXPECT_EQ(TierOf("u"), std::nullopt);
}

TEST_F(TierCacheTest, ATierAgesAtTheEndOfItsTtlAndThenExpires) {
  cache_.PutTier("u", "pro", absl::Seconds(100));
  EXPECT_EQ(AgeOf("u", 139), Age::kFresh);
  EXPECT_EQ(AgeOf("u", 140), Age::kAging);
  EXPECT_EQ(AgeOf("u", 159), Age::kAging);
  EXPECT_EQ(AgeOf("u", 160), Age::kExpired);
  EXPECT_EQ(TierOf("u"), "pro");
}

TEST_F(TierCacheTest, NoTierLastsForNegativeTtlAndDoesNotAge) {
  cache_.PutTier("u", "", absl::Seconds(100));
  EXPECT_EQ(AgeOf("u", 109), Age::kFresh);
  EXPECT_EQ(AgeOf("u", 110), Age::kExpired);
  EXPECT_EQ(TierOf("u"), "");
}

TEST_F(TierCacheTest, AFailureKeepsTheTierAndDelaysTheNextFetch) {
  cache_.PutTier("u", "pro", absl::Seconds(100));
  cache_.PutFailure("u", absl::Seconds(145));
  EXPECT_EQ(AgeOf("u", 154), Age::kFresh);
  EXPECT_EQ(AgeOf("u", 155), Age::kAging);
  EXPECT_EQ(AgeOf("u", 160), Age::kExpired);
  cache_.PutFailure("u", absl::Seconds(1000));
  EXPECT_EQ(AgeOf("u", 1009), Age::kFresh);
  EXPECT_EQ(AgeOf("u", 1010), Age::kExpired);
  EXPECT_EQ(TierOf("u"), "pro");
}

TEST_F(TierCacheTest, AFailureForAnUnknownUserIsCachedWithoutATier) {
  cache_.PutFailure("u", absl::Seconds(100));
  EXPECT_EQ(AgeOf("u", 109), Age::kFresh);
  EXPECT_EQ(AgeOf("u", 110), Age::kExpired);
  EXPECT_EQ(TierOf("u"), std::nullopt);
}

TEST_F(TierCacheTest, TheEntryUpdatedLongestAgoIsDroppedFirst) {
  for (const char* user : {"a", "b", "c", "a", "d"}) {
    cache_.PutTier(user, "pro", absl::Seconds(1));
  }
  EXPECT_EQ(cache_.size(), 3U);
  EXPECT_EQ(TierOf("b"), std::nullopt);
  for (const char* user : {"a", "c", "d"}) EXPECT_EQ(TierOf(user), "pro");
}

TEST_F(TierCacheTest, MadeUpUsersDoNotDisplaceATier) {
  cache_.PutTier("a", "pro", absl::Seconds(1));
  for (int i = 0; i < 100; ++i) {
    cache_.PutTier(absl::StrCat("x", i), "", absl::Seconds(1));
    cache_.PutFailure(absl::StrCat("y", i), absl::Seconds(1));
  }
  EXPECT_EQ(TierOf("a"), "pro");
  EXPECT_EQ(cache_.size(), 4U);
}

TEST_F(TierCacheTest, AUserWhoseTierChangesMovesBetweenTheRooms) {
  cache_.PutTier("a", "pro", absl::Seconds(1));
  cache_.PutTier("a", "", absl::Seconds(2));
  EXPECT_EQ(TierOf("a"), "");
  cache_.PutTier("a", "free", absl::Seconds(3));
  EXPECT_EQ(TierOf("a"), "free");
  EXPECT_EQ(cache_.size(), 1U);
}

}  // namespace
}  // namespace rls
