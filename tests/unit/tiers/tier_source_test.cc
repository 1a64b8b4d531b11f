#include <vector>

#include "absl/strings/str_cat.h"
#include "temp_folder.h"
#include "unit/net/certificates.h"
#include "unit/tiers/tier_source_fixture.h"

namespace rls {
namespace {

TEST_F(TierSourceTest, TheBodyNamesTheTier) {
  EXPECT_EQ(Find("user-1"), "pro");
  server_.SetAnswer(Naming(" free\n"));
  EXPECT_EQ(Find("user-2"), "free");
  EXPECT_EQ(server_.requests()[0].target, "/user-tier/user-1");
  EXPECT_EQ(Lookups("ok"), 2);
  EXPECT_EQ(Answers("source"), 2);
}

TEST_F(TierSourceTest, A404OrANullMeansNoTier) {
  server_.SetAnswer(Naming("no such user", 404));
  EXPECT_EQ(Find("a"), "");
  server_.SetAnswer(Naming(R"({"tier": null})"));
  EXPECT_EQ(Find("b"), "");
  EXPECT_EQ(Lookups("not_found"), 2);
}

TEST_F(TierSourceTest, AHostNameIsLookedUp) {
  spec_.url = server_.url("localhost");
  Open();
  EXPECT_EQ(Find("u"), "pro");
}

TEST_F(TierSourceTest, AnOddUserArrivesAsItWasSent) {
  const std::string odd = "a b/c?d#e&f=%00\xC3\xBC\xFF;:@!$'()*+,[]{user_id}";
  EXPECT_EQ(Find(odd), "pro");
  EXPECT_EQ(server_.requests().at(0).user, odd);
}

TEST_F(TierSourceTest, AHostileUserIsNeverSent) {
  const std::vector<std::string> hostile = {"../", "..", "a\r\nX-Evil: 1",
                                            std::string("a\0b", 3),
                                            std::string(size_t{64} << 10, 'x')};
  for (const std::string& user : hostile) EXPECT_EQ(Find(user), std::nullopt);
  EXPECT_EQ(server_.count(), 0U);
  EXPECT_EQ(Lookups("refused"), static_cast<double>(hostile.size()));
  EXPECT_EQ(Answers("nowhere"), static_cast<double>(hostile.size()));
}

TEST_F(TierSourceTest, LookupsOfOneUserShareOneRequest) {
  server_.Hold();
  std::vector<std::future<Tier>> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(Start("u"));
  WaitForRequests(1);
  server_.Release();
  for (std::future<Tier>& tier : waiting) EXPECT_EQ(tier.get(), "pro");
  EXPECT_EQ(server_.count(), 1U);
}

TEST_F(TierSourceTest, ATierIsUsedForItsTtlAndThenFetchedAgain) {
  spec_.stale = absl::ZeroDuration();
  Open();
  EXPECT_EQ(Find("u"), "pro");
  server_.SetAnswer(Naming("free"));
  clock_.Advance(absl::Seconds(59));
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_EQ(server_.count(), 1U);
  EXPECT_EQ(Answers("cache"), 1);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Find("u"), "free");
}

TEST_F(TierSourceTest, AnAgingTierIsUsedWhileItIsFetchedAgain) {
  EXPECT_EQ(Find("u"), "pro");
  server_.SetAnswer(Naming("free"));
  server_.Hold();
  clock_.Advance(absl::Seconds(30));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Find("u"), "pro");
  WaitForRequests(2);
  EXPECT_EQ(Find("u"), "pro");
  server_.Release();
  WaitUntil("the new tier", [this] { return Find("u") == "free"; });
  EXPECT_EQ(server_.count(), 2U);
}

TEST_F(TierSourceTest, AUserWithoutTierIsCachedForNegativeTtl) {
  server_.SetAnswer(Naming("", 404));
  EXPECT_EQ(Find("u"), "");
  server_.SetAnswer(Naming("pro"));
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Find("u"), "");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_EQ(server_.count(), 2U);
}

TEST_F(TierSourceTest, TheCacheIsBounded) {
  spec_.max_cached = 2;
  Open();
  for (const char* user : {"a", "b", "c"}) Find(user);
  EXPECT_EQ(Value("cached", ""), 2);
  Find("c");
  EXPECT_EQ(server_.count(), 3U);
  Find("a");
  EXPECT_EQ(server_.count(), 4U);
}

TEST_F(TierSourceTest, WithoutWaitTheAnswerComesAtOnceAndTheTierLater) {
  spec_.wait = false;
  Open();
  server_.Hold();
  EXPECT_EQ(Find("u"), std::nullopt);
  WaitForRequests(1);
  EXPECT_EQ(Find("u"), std::nullopt);
  server_.Release();
  WaitUntil("the tier", [this] { return Find("u") == "pro"; });
  EXPECT_EQ(server_.count(), 1U);
  clock_.Advance(absl::Seconds(60));
  server_.Hold();
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_EQ(Answers("last_known"), 1);
}

TEST_F(TierSourceTest, NoLookupWaitsLongerThanHalfTheTimeToItsDeadline) {
  server_.Hold();
  EXPECT_EQ(Find("u", clock_.Now() + absl::Milliseconds(20)), std::nullopt);
  EXPECT_EQ(Find("u", clock_.Now() - absl::Seconds(1)), std::nullopt);
  // The request goes on, for later lookups.
  server_.Release();
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_EQ(server_.count(), 1U);
  EXPECT_EQ(Answers("nowhere"), 2);
}

TEST_F(TierSourceTest, NoMoreRequestsAreUnderWayThanAllowed) {
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
  EXPECT_EQ(Find("one too many"), std::nullopt);
  EXPECT_EQ(Lookups("busy"), 1);
  server_.Release();
  for (std::future<Tier>& tier : waiting) EXPECT_EQ(tier.get(), "pro");
}

TEST_F(TierSourceTest, RefreshFetchesAgainAlsoAKnownTier) {
  EXPECT_EQ(Find("u"), "pro");
  server_.SetAnswer(Naming("enterprise"));
  EXPECT_EQ(*StartRefresh("u").get(), "enterprise");
  EXPECT_EQ(Find("u"), "enterprise");
  EXPECT_EQ(*StartRefresh("unknown").get(), "enterprise");
  EXPECT_EQ(server_.count(), 3U);
}

TEST_F(TierSourceTest, RefreshDoesNotUseARequestThatBeganBefore) {
  server_.Hold();
  std::future<Tier> before = Start("u");
  WaitForRequests(1);
  std::future<absl::StatusOr<std::string>> first = StartRefresh("u");
  std::future<absl::StatusOr<std::string>> second = StartRefresh("u");
  server_.Release();
  EXPECT_EQ(before.get(), "pro");
  EXPECT_EQ(*first.get(), "pro");
  EXPECT_EQ(*second.get(), "pro");
  // The request for the first refresh may have begun before the second refresh.
  EXPECT_GE(server_.count(), 2U);
  EXPECT_LE(server_.count(), 3U);
}

TEST_F(TierSourceTest, AFailedRefreshReportsItAndKeepsTheTier) {
  EXPECT_EQ(Find("u"), "pro");
  server_.SetAnswer(Naming("", 503));
  const absl::StatusOr<std::string> refreshed = StartRefresh("u").get();
  EXPECT_EQ(refreshed.status(), absl::UnavailableError("HTTP status 503"));
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_TRUE(absl::IsInvalidArgument(StartRefresh("..").get().status()));
}

TEST_F(TierSourceTest, AnUnchangedSpecKeepsTheCachedTiers) {
  const std::shared_ptr<TierSource> before = source_;
  Open();
  EXPECT_EQ(source_, before);
  EXPECT_NE(sources_->Open("another domain", spec_), before);
  spec_.ttl = absl::Seconds(61);
  Open();
  EXPECT_NE(source_, before);
  EXPECT_EQ(Find("u"), "pro");
}

TEST_F(TierSourceTest, TheDestructorAnswersPendingLookups) {
  spec_.max_concurrent = 1;
  Open();
  server_.Hold();
  std::future<Tier> fetched = Start("a");
  std::future<Tier> queued = Start("b");
  WaitForRequests(1);
  auto refreshed = StartRefresh("a");
  sources_.reset();
  EXPECT_EQ(fetched.get(), std::nullopt);
  EXPECT_EQ(queued.get(), std::nullopt);
  EXPECT_FALSE(refreshed.get().ok());
  EXPECT_EQ(server_.count(), 1U);
}

class TierSourceTlsTest : public TierSourceTest {
 protected:
  // Looks up a user at a server with a certificate of `authority`, with a
  // source that trusts `trusted`.
  Tier FindOver(const Identity& authority, const Identity& trusted,
                const CertificateOptions& options) {
    const Identity identity = NewIdentity(authority, options);
    TierServer server(
        Naming("pro"),
        {.certificate = folder_.Write("certificate", identity.CertificatePem()),
         .key = folder_.Write("key", identity.KeyPem())});
    spec_.url = server.url("localhost");
    spec_.ca_file = folder_.Write("ca", trusted.CertificatePem());
    Open();
    return Find("u");
  }

  const TempFolder folder_;
  const Identity ours_ = NewAuthority("ours");
  const Identity theirs_ = NewAuthority("theirs");
};

TEST_F(TierSourceTlsTest, ACertificateOfTheConfiguredAuthorityIsTrusted) {
  EXPECT_EQ(FindOver(ours_, ours_, {}), "pro");
}

TEST_F(TierSourceTlsTest, ACertificateOfAnotherAuthorityIsRefused) {
  EXPECT_EQ(FindOver(theirs_, ours_, {}), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

TEST_F(TierSourceTlsTest, ACertificateOfAnotherHostIsRefused) {
  EXPECT_EQ(
      FindOver(ours_, ours_, {.alternative_names = "DNS:elsewhere.example"}),
      std::nullopt);
}

TEST_F(TierSourceTlsTest, AnExpiredCertificateIsRefused) {
  EXPECT_EQ(FindOver(ours_, ours_, {.valid_until_s = -60}), std::nullopt);
}

TEST_F(TierSourceTlsTest, WithoutACaFileTheSystemsAuthoritiesAreTrusted) {
  const Identity identity = NewIdentity(ours_, {});
  TierServer server(
      Naming("pro"),
      {.certificate = folder_.Write("certificate", identity.CertificatePem()),
       .key = folder_.Write("key", identity.KeyPem())});
  spec_.url = server.url("localhost");
  Open();
  EXPECT_EQ(Find("u"), std::nullopt);
}

TEST_F(TierSourceTlsTest, AMissingAuthorityFileIsAFailure) {
  spec_.url = "https://localhost:1/{user_id}";
  spec_.ca_file = "/nowhere/ca.pem";
  Open();
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

}  // namespace
}  // namespace rls
