#include <vector>

#include "absl/strings/str_cat.h"
#include "unit/tier_source_fixture.h"

namespace rls {
namespace {

TEST_F(TierSourceTest, TheReplyNamesTheTier) {
  EXPECT_EQ(Ask("user-1"), "pro");
  server_.SetAnswer(Telling(" free\n"));
  EXPECT_EQ(Ask("user-2"), "free");
  EXPECT_EQ(server_.requests()[0].target, "/user-tier/user-1");
  EXPECT_EQ(Lookups("ok"), 2);
  EXPECT_EQ(Answers("source"), 2);
}

TEST_F(TierSourceTest, A404OrANullMeansNoTier) {
  server_.SetAnswer(Telling("no such user", 404));
  EXPECT_EQ(Ask("a"), "");
  server_.SetAnswer(Telling(R"({"tier": null})"));
  EXPECT_EQ(Ask("b"), "");
  EXPECT_EQ(Lookups("not_found"), 2);
}

TEST_F(TierSourceTest, AHostNameIsLookedUp) {
  spec_.url = server_.url("localhost");
  Open();
  EXPECT_EQ(Ask("u"), "pro");
}

TEST_F(TierSourceTest, AnOddUserArrivesAsItWasSent) {
  const std::string odd = "a b/c?d#e&f=%00\xC3\xBC\xFF;:@!$'()*+,[]{user_id}";
  EXPECT_EQ(Ask(odd), "pro");
  EXPECT_EQ(server_.requests().at(0).user, odd);
}

TEST_F(TierSourceTest, AHostileUserIsNeverSent) {
  const std::vector<std::string> hostile = {"../", "..", "a\r\nX-Evil: 1",
                                            std::string("a\0b", 3),
                                            std::string(size_t{64} << 10, 'x')};
  for (const std::string& user : hostile) EXPECT_EQ(Ask(user), std::nullopt);
  EXPECT_EQ(server_.count(), 0U);
  EXPECT_EQ(Lookups("refused"), static_cast<double>(hostile.size()));
  EXPECT_EQ(Answers("nowhere"), static_cast<double>(hostile.size()));
}

TEST_F(TierSourceTest, ManyWhoWaitForOneUserShareOneCall) {
  server_.Hold();
  std::vector<std::future<Tier>> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(Start("u"));
  WaitForRequests(1);
  server_.Release();
  for (std::future<Tier>& tier : waiting) EXPECT_EQ(tier.get(), "pro");
  EXPECT_EQ(server_.count(), 1U);
}

TEST_F(TierSourceTest, ATierIsUsedForItsTtlAndThenAskedForAnew) {
  spec_.stale = absl::ZeroDuration();
  Open();
  EXPECT_EQ(Ask("u"), "pro");
  server_.SetAnswer(Telling("free"));
  clock_.Advance(absl::Seconds(59));
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_EQ(server_.count(), 1U);
  EXPECT_EQ(Answers("cache"), 1);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Ask("u"), "free");
}

TEST_F(TierSourceTest, AnAgingTierIsUsedWhileItIsAskedForAnew) {
  EXPECT_EQ(Ask("u"), "pro");
  server_.SetAnswer(Telling("free"));
  server_.Hold();
  clock_.Advance(absl::Seconds(30));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Ask("u"), "pro");
  WaitForRequests(2);
  EXPECT_EQ(Ask("u"), "pro");
  server_.Release();
  WaitUntil("the new tier", [this] { return Ask("u") == "free"; });
  EXPECT_EQ(server_.count(), 2U);
}

TEST_F(TierSourceTest, NoTierIsRememberedForNegativeTtl) {
  server_.SetAnswer(Telling("", 404));
  EXPECT_EQ(Ask("u"), "");
  server_.SetAnswer(Telling("pro"));
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Ask("u"), "");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_EQ(server_.count(), 2U);
}

TEST_F(TierSourceTest, TheCacheIsBounded) {
  spec_.max_cached = 2;
  Open();
  for (const char* user : {"a", "b", "c"}) Ask(user);
  EXPECT_EQ(Value("cached", ""), 2);
  Ask("c");
  EXPECT_EQ(server_.count(), 3U);
  Ask("a");
  EXPECT_EQ(server_.count(), 4U);
}

TEST_F(TierSourceTest, WithoutWaitTheAnswerComesAtOnceAndTheTierLater) {
  spec_.wait = false;
  Open();
  server_.Hold();
  EXPECT_EQ(Ask("u"), std::nullopt);
  WaitForRequests(1);
  EXPECT_EQ(Ask("u"), std::nullopt);
  server_.Release();
  WaitUntil("the tier", [this] { return Ask("u") == "pro"; });
  EXPECT_EQ(server_.count(), 1U);
  clock_.Advance(absl::Seconds(60));
  server_.Hold();
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_EQ(Answers("last_known"), 1);
}

TEST_F(TierSourceTest, NobodyWaitsBeyondHalfOfWhatHisDeadlineLeaves) {
  server_.Hold();
  EXPECT_EQ(Ask("u", clock_.Now() + absl::Milliseconds(20)), std::nullopt);
  EXPECT_EQ(Ask("u", clock_.Now() - absl::Seconds(1)), std::nullopt);
  // The call goes on, for those who come later.
  server_.Release();
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_EQ(server_.count(), 1U);
  EXPECT_EQ(Answers("nowhere"), 2);
}

TEST_F(TierSourceTest, NoMoreCallsAreUnderWayThanAllowed) {
  spec_.max_concurrent = 2;
  Open();
  server_.Hold();
  std::vector<std::future<Tier>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(Start(absl::StrCat("u", i)));
  WaitForRequests(2);
  server_.Release();
  for (std::future<Tier>& tier : waiting) EXPECT_EQ(tier.get(), "pro");
  EXPECT_EQ(server_.count(), 10U);
  EXPECT_EQ(server_.most_at_once(), 2);
}

TEST_F(TierSourceTest, BeyondTheQueueTheAnswerComesAtOnce) {
  spec_.max_concurrent = 1;
  Open();
  server_.Hold();
  std::vector<std::future<Tier>> waiting;
  for (int i = 0; i < 1001; ++i) waiting.push_back(Start(absl::StrCat("u", i)));
  EXPECT_EQ(Ask("one too many"), std::nullopt);
  EXPECT_EQ(Lookups("busy"), 1);
  server_.Release();
  for (std::future<Tier>& tier : waiting) EXPECT_EQ(tier.get(), "pro");
}

TEST_F(TierSourceTest, RefreshAsksAnewWhateverIsKnown) {
  EXPECT_EQ(Ask("u"), "pro");
  server_.SetAnswer(Telling("enterprise"));
  EXPECT_EQ(*StartRefresh("u").get(), "enterprise");
  EXPECT_EQ(Ask("u"), "enterprise");
  EXPECT_EQ(*StartRefresh("stranger").get(), "enterprise");
  EXPECT_EQ(server_.count(), 3U);
}

TEST_F(TierSourceTest, RefreshDoesNotTrustACallThatBeganBefore) {
  server_.Hold();
  std::future<Tier> before = Start("u");
  WaitForRequests(1);
  std::future<absl::StatusOr<std::string>> first = StartRefresh("u");
  std::future<absl::StatusOr<std::string>> second = StartRefresh("u");
  server_.Release();
  EXPECT_EQ(before.get(), "pro");
  EXPECT_EQ(*first.get(), "pro");
  EXPECT_EQ(*second.get(), "pro");
  // The second may have come when the call for the first had begun.
  EXPECT_GE(server_.count(), 2U);
  EXPECT_LE(server_.count(), 3U);
}

TEST_F(TierSourceTest, AFailedRefreshSaysSoAndKeepsTheTier) {
  EXPECT_EQ(Ask("u"), "pro");
  server_.SetAnswer(Telling("", 503));
  const absl::StatusOr<std::string> refreshed = StartRefresh("u").get();
  EXPECT_EQ(refreshed.status(), absl::UnavailableError("HTTP status 503"));
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_TRUE(absl::IsInvalidArgument(StartRefresh("..").get().status()));
}

TEST_F(TierSourceTest, AnUnchangedDescriptionKeepsWhatIsKnown) {
  const std::shared_ptr<TierSource> before = source_;
  Open();
  EXPECT_EQ(source_, before);
  EXPECT_NE(sources_->Open("another domain", spec_), before);
  spec_.ttl = absl::Seconds(61);
  Open();
  EXPECT_NE(source_, before);
  EXPECT_EQ(Ask("u"), "pro");
}

TEST_F(TierSourceTest, TheEndAnswersThoseThatWait) {
  spec_.max_concurrent = 1;
  Open();
  server_.Hold();
  std::future<Tier> called = Start("a");
  std::future<Tier> queued = Start("b");
  WaitForRequests(1);
  auto refreshed = StartRefresh("a");
  sources_.reset();
  EXPECT_EQ(called.get(), std::nullopt);
  EXPECT_EQ(queued.get(), std::nullopt);
  EXPECT_FALSE(refreshed.get().ok());
  EXPECT_EQ(server_.count(), 1U);
}

}  // namespace
}  // namespace rls
