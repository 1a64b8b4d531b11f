// Limits of tokens beside limits of requests: costs, reports, and reservations.

#include <memory>
#include <string>

#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

Rule Tokens(int64_t limit) {
  return {.path = "tokens",
          .policy = {.limit = limit},
          .counted = Counted::kTokens,
          .name = "tokens"};
}

class LimiterUsageTest : public LimiterTest {
 protected:
  LimiterUsageTest() { LoadTier(Tokens(100)); }

  // Three requests and `tokens` tokens a minute.
  void LoadTier(Rule tokens,
                Rule first = {.path = "requests", .policy = {.limit = 3}}) {
    DomainSpec spec;
    spec.tiers.emplace();
    spec.tiers->identity = {{.key = "user_id"}};
    first.more = {std::move(tokens)};
    spec.tiers->default_rule = std::move(first);
    Load(std::move(spec));
  }
  void LoadReserving(int64_t limit) {
    Rule tokens = Tokens(limit);
    tokens.reserves = tokens.refundable = true;
    LoadTier(tokens, {.path = "requests", .policy = {.limit = 100}});
  }

  Answer Report(absl::string_view text, uint64_t tokens) {
    Descriptor descriptor = Of(text);
    descriptor.hits = tokens;
    return Check(Asking({descriptor}));
  }
};

TEST_F(LimiterUsageTest, ARequestIsChargedToAllLimitsOrToNone) {
  EXPECT_FALSE(Check("user_id=a,tokens=60").over_limit);
  const Answer refused = Check("user_id=a,tokens=41");
  EXPECT_TRUE(refused.over_limit);
  EXPECT_EQ(refused.only().rule, &RuleAt("tokens"));
  EXPECT_EQ(refused.only().remaining, 0);
  EXPECT_EQ(refused.only().reset, absl::Minutes(1));
  // The refused request took nothing: two of three are left.
  EXPECT_EQ(Check("user_id=a,tokens=1").only().remaining, 1);
  EXPECT_FALSE(Check("user_id=a,tokens=39").over_limit);
  const Answer by_requests = Check("user_id=a,tokens=1");
  EXPECT_TRUE(by_requests.over_limit);
}

TEST_F(LimiterUsageTest, ALimitOfRequestsRefusesWithoutChargingTokens) {
  for (int i = 0; i < 3; ++i) Check("user_id=a,tokens=10");
  const Answer refused = Check("user_id=a,tokens=10");
  EXPECT_TRUE(refused.over_limit);
  EXPECT_EQ(refused.only().rule, &RuleAt("requests"));
  EXPECT_FALSE(Report("user_id=a,usage=report", 70).over_limit);
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(Check("user_id=a").over_limit);
}

TEST_F(LimiterUsageTest, TheLimitWithTheLeastRemainingSpeaks) {
  EXPECT_EQ(Check("user_id=a,tokens=10").only().rule, &RuleAt("requests"));
  const Answer answer = Check("user_id=a,tokens=90");
  EXPECT_EQ(answer.only().rule, &RuleAt("tokens"));
  EXPECT_EQ(answer.only().remaining, 0);
  EXPECT_EQ(answer.leading, 0);
}

TEST_F(LimiterUsageTest, AReportIsChargedPastTheLimitAndTakesNoRequest) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(Report("user_id=a,usage=report", 50).over_limit);
  }
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 250);
  EXPECT_EQ(Total(RuleAt("requests").counters.ok), 0);
  const Answer refused = Check("user_id=a");
  EXPECT_TRUE(refused.over_limit);
  EXPECT_EQ(refused.only().rule, &RuleAt("tokens"));
  EXPECT_EQ(Total(RuleAt("tokens").counters.over_limit), 1);
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Check("user_id=a").only().remaining, 2);
}

TEST_F(LimiterUsageTest, ARequestOfUnknownCostNeedsOneTokenLeft) {
  EXPECT_FALSE(Check("user_id=a").over_limit);
  Report("user_id=a,usage=report", 99);
  EXPECT_FALSE(Check("user_id=a").over_limit);
  Report("user_id=a,usage=report", 1);
  EXPECT_TRUE(Check("user_id=a").over_limit);
  EXPECT_TRUE(Check("user_id=a,tokens=0").over_limit);
  // The question itself is not charged.
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 100);
}

TEST_F(LimiterUsageTest, TextThatIsNoNumberIsNoCost) {
  for (const char* tokens : {"", "-5", "1e9", " 7", "0x10", "NaN"}) {
    const std::string user = std::string("user_id=u") + tokens;
    EXPECT_FALSE(Check(user + ",tokens=" + tokens).over_limit) << tokens;
  }
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 0);
  EXPECT_TRUE(Check("user_id=b,tokens=99999999999999999999999").over_limit);
}

TEST_F(LimiterUsageTest, AReportStatesItsUsageInOneOfThreePlaces) {
  Report("user_id=a,usage=report,tokens=50", 7);
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 7);
  Check("user_id=a,usage=report,tokens=50");
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 57);
  Query query = Asking({Of("user_id=a,usage=report")});
  query.hits = 3;
  Check(query);
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 60);
  Check("user_id=a,usage=report");
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 60);
}

TEST_F(LimiterUsageTest, ALookChargesNothingAndSeesTheRemainder) {
  Descriptor look = Of("user_id=a,tokens=50,request_id=r1");
  look.hits = 0;
  EXPECT_FALSE(Check(Asking({look})).over_limit);
  EXPECT_FALSE(Check("user_id=a,tokens=100").over_limit);
  const Answer spent = Check(Asking({look}));
  EXPECT_FALSE(spent.over_limit);
  EXPECT_EQ(spent.only().rule, &RuleAt("tokens"));
  EXPECT_EQ(spent.only().remaining, 0);
}

TEST_F(LimiterUsageTest, ARefundOfARequestMayGiveTokensBack) {
  Check("user_id=a,tokens=100");
  Descriptor refund = Of("user_id=a");
  refund.hits = 1;
  refund.is_negative_hits = true;
  Check(Asking({refund}));
  EXPECT_TRUE(Check("user_id=a,tokens=1").over_limit);
  refund = Of("user_id=a,tokens=40");
  refund.hits = 1;
  refund.is_negative_hits = true;
  Check(Asking({refund}));
  EXPECT_TRUE(Check("user_id=a,tokens=41").over_limit);
  EXPECT_FALSE(Check("user_id=a,tokens=40").over_limit);
}

TEST_F(LimiterUsageTest, OnlyTheWordReportReports) {
  Check("user_id=a,usage=monthly");
  EXPECT_EQ(Total(RuleAt("requests").counters.ok), 1);
}

TEST_F(LimiterUsageTest, AReportForATierWithoutTokensChargesNothing) {
  LoadTier({.path = "day", .policy = {.limit = 9, .window = absl::Hours(24)}});
  const Answer answer = Report("user_id=a,usage=report", 1000);
  EXPECT_FALSE(answer.over_limit);
  EXPECT_EQ(answer.only().policy, nullptr);
  EXPECT_EQ(Check("user_id=a").only().remaining, 2);
}

TEST_F(LimiterUsageTest, TheTokensOfAUserAreApartFromHisRequestsAndOthers) {
  Check("user_id=a,tokens=100");
  EXPECT_TRUE(Check("user_id=a,tokens=1").over_limit);
  EXPECT_FALSE(Check("user_id=b,tokens=100").over_limit);
}

TEST_F(LimiterUsageTest, DegradedTrafficIsCountedInRequests) {
  DegradeRule degrade;
  degrade.cheapest = "small";
  degrade.limit = Policy{.limit = 2};
  Rule tokens = Tokens(100);
  Rule requests{.path = "requests", .policy = {.limit = 2}};
  requests.degrade = tokens.degrade = std::make_shared<DegradeRule>(degrade);
  LoadTier(tokens, requests);
  EXPECT_FALSE(Check("user_id=a,tokens=50").only().degraded);
  EXPECT_FALSE(Check("user_id=a,tokens=50").only().degraded);
  // Over both limits. The limit of degraded traffic is charged once.
  EXPECT_FALSE(Check("user_id=a,tokens=50").over_limit);
  EXPECT_FALSE(Check("user_id=a,tokens=50").over_limit);
  EXPECT_TRUE(Check("user_id=a,tokens=50").over_limit);
}

TEST_F(LimiterUsageTest, AReportWithoutTheStoreIsDecidedByThePolicy) {
  store_.failure = absl::UnavailableError("gone");
  EXPECT_EQ(Report("user_id=a,usage=report", 5).status.code(),
            absl::StatusCode::kUnavailable);
}

class LimiterReserveTest : public LimiterUsageTest {
 protected:
  LimiterReserveTest() { LoadReserving(100); }

  // The cost that fits without a charge: the tokens that are left.
  int64_t Left(absl::string_view user = "a") {
    int64_t low = 0;
    for (int64_t step = 128; step > 0; step /= 2) {
      // Without a request id it is not charged.
      const std::string ask = "user_id=" + std::string(user) +
                              ",tokens=" + std::to_string(low + step);
      if (!Check(ask).over_limit) low += step;
    }
    return low;
  }
};

TEST_F(LimiterReserveTest, TheEstimateIsChargedAndTheReportMakesItGood) {
  EXPECT_FALSE(Check("user_id=a,tokens=60,request_id=r1").over_limit);
  EXPECT_EQ(Left(), 40);
  EXPECT_TRUE(Check("user_id=a,tokens=60,request_id=r2").over_limit);
  Report("user_id=a,usage=report,request_id=r1", 25);
  EXPECT_EQ(Left(), 75);
  Check("user_id=a,tokens=10,request_id=r3");
  Report("user_id=a,usage=report,request_id=r3", 70);
  EXPECT_EQ(Left(), 5);
}

TEST_F(LimiterReserveTest, TheEstimateAndTheExcessAreCounted) {
  const RuleCounters& counters = RuleAt("tokens").counters;
  Check("user_id=a,tokens=20,request_id=r1");
  EXPECT_EQ(Total(counters.ok), 20);
  Report("user_id=a,usage=report,request_id=r1", 35);
  EXPECT_EQ(Total(counters.ok), 35);
  Check("user_id=a,tokens=30,request_id=r2");
  Report("user_id=a,usage=report,request_id=r2", 5);
  EXPECT_EQ(Total(counters.ok), 65);
}

TEST_F(LimiterReserveTest, ALookAndARefundLeaveTheReservationAlone) {
  for (const bool is_negative_hits : {false, true}) {
    Descriptor other = Of("user_id=a,request_id=r1");
    other.hits = is_negative_hits ? 1 : 0;
    other.is_negative_hits = is_negative_hits;
    Check(Asking({other}));
  }
  EXPECT_FALSE(Check("user_id=a,tokens=60,request_id=r1").over_limit);
  Descriptor refund = Of("user_id=a,usage=report,request_id=r1");
  refund.hits = 20;
  refund.is_negative_hits = true;
  Check(Asking({refund}));
  EXPECT_EQ(Left(), 60);
  Report("user_id=a,usage=report,request_id=r1", 50);
  EXPECT_EQ(Left(), 70);
}

TEST_F(LimiterReserveTest, AReportIsChargedAlthoughItsDeadlinePasses) {
  Check("user_id=a,tokens=60,request_id=r1");
  Descriptor report = Of("user_id=a,usage=report,request_id=r1");
  report.hits = 80;
  Query query = Asking({report});
  query.deadline = clock_.Now() + absl::Seconds(1);
  store_.is_held = true;
  Answer answer;
  Start(query, answer);
  clock_.Advance(absl::Seconds(2));
  store_.is_held = false;
  store_.Release();
  EXPECT_EQ(answer.dones, 1);
  EXPECT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(Left(), 20);
}

TEST_F(LimiterReserveTest, AReportThatComesTwiceIsChargedOnce) {
  Check("user_id=a,tokens=60,request_id=r1");
  for (int i = 0; i < 3; ++i) {
    Report("user_id=a,usage=report,request_id=r1", 30);
    EXPECT_EQ(Left(), 70);
  }
}

TEST_F(LimiterReserveTest, TheReportOfARefusedRequestGivesNothingBack) {
  Check("user_id=a,tokens=60,request_id=r1");
  EXPECT_TRUE(Check("user_id=a,tokens=60,request_id=r2").over_limit);
  Report("user_id=a,usage=report,request_id=r2", 0);
  EXPECT_EQ(Left(), 40);
  // The same id again, now that there is room, is a request like any other.
  Report("user_id=a,usage=report,request_id=r1", 10);
  EXPECT_FALSE(Check("user_id=a,tokens=60,request_id=r2").over_limit);
  EXPECT_EQ(Left(), 30);
  Report("user_id=a,usage=report,request_id=r2", 20);
  EXPECT_EQ(Left(), 70);
}

TEST_F(LimiterReserveTest, AReportOfAnUnknownRequestIsChargedInFullOnce) {
  for (int i = 0; i < 2; ++i) {
    Report("user_id=a,usage=report,request_id=unknown", 30);
    EXPECT_EQ(Left(), 70);
  }
}

TEST_F(LimiterReserveTest, OfARequestOfUnknownCostTheReportIsAll) {
  EXPECT_FALSE(Check("user_id=a,request_id=r1").over_limit);
  EXPECT_EQ(Left(), 100);
  for (int i = 0; i < 2; ++i) {
    Report("user_id=a,usage=report,request_id=r1", 30);
    EXPECT_EQ(Left(), 70);
  }
}

TEST_F(LimiterReserveTest, WithoutAnIdTheEstimateMustFitAndTheReportIsAll) {
  EXPECT_TRUE(Check("user_id=a,tokens=101").over_limit);
  EXPECT_FALSE(Check("user_id=a,tokens=100").over_limit);
  EXPECT_EQ(Left(), 100);
  Report("user_id=a,usage=report", 30);
  EXPECT_EQ(Left(), 70);
}

TEST_F(LimiterReserveTest, AnIdThatIsUsedTwiceAtATimeIsRefused) {
  Check("user_id=a,tokens=10,request_id=r1");
  EXPECT_TRUE(Check("user_id=a,tokens=10,request_id=r1").over_limit);
  EXPECT_EQ(Left(), 90);
  // The same id of another user is another id.
  EXPECT_FALSE(Check("user_id=b,tokens=10,request_id=r1").over_limit);
}

TEST_F(LimiterReserveTest, AReservationIsForgottenAfterItsTime) {
  Rule tokens = Tokens(100);
  tokens.policy.window = absl::Hours(1);
  tokens.reserves = tokens.refundable = true;
  LoadTier(tokens, {.path = "requests", .policy = {.limit = 100}});
  Check("user_id=a,tokens=60,request_id=r1");
  clock_.Advance(absl::Minutes(10));
  Report("user_id=a,usage=report,request_id=r1", 30);
  EXPECT_EQ(Left(), 10);
}

TEST_F(LimiterReserveTest, TokensOfAPastWindowAreNotGivenToTheNextOne) {
  Check("user_id=a,tokens=90,request_id=r1");
  clock_.Advance(absl::Minutes(1));
  Check("user_id=a,tokens=50,request_id=r2");
  Report("user_id=a,usage=report,request_id=r1", 0);
  EXPECT_EQ(Left(), 50);
  Report("user_id=a,usage=report,request_id=r2", 0);
  EXPECT_EQ(Left(), 100);
}

TEST_F(LimiterReserveTest, AnyReplicaSettles) {
  FakeLoop loop(clock_);
  const auto other = NewLimiter({.rules = rules_,
                                 .loop = loop,
                                 .store = store_,
                                 .local_store = *local_,
                                 .clock = clock_,
                                 .metrics = metrics_});
  Check("user_id=a,tokens=60,request_id=r1");
  Descriptor report = Of("user_id=a,usage=report,request_id=r1");
  report.hits = 20;
  const Query query = Asking({report});
  int dones = 0;
  for (int i = 0; i < 2; ++i) {
    other->Check(query, [&](const absl::StatusOr<const Verdict*>& verdict) {
      EXPECT_TRUE(verdict.ok());
      ++dones;
    });
  }
  EXPECT_EQ(dones, 2);
  EXPECT_EQ(Left(), 80);
}

TEST_F(LimiterReserveTest, SeveralReportsOfOneCallAreEachSettled) {
  Check("user_id=a,tokens=30,request_id=r1");
  Check("user_id=b,tokens=30,request_id=r1");
  std::vector<Descriptor> reports = {
      Of("user_id=a,usage=report,request_id=r1"),
      Of("user_id=b,usage=report,request_id=r1"),
      Of("user_id=a,usage=report,request_id=r1")};
  for (Descriptor& report : reports) report.hits = 10;
  Check(Asking(reports));
  EXPECT_EQ(Left("a"), 90);
  EXPECT_EQ(Left("b"), 90);
}

TEST_F(LimiterReserveTest, AnonymousRequestsReserveToo) {
  Check("tokens=60,request_id=r1");
  Report("usage=report,request_id=r1", 20);
  EXPECT_FALSE(Check("tokens=80").over_limit);
  EXPECT_TRUE(Check("tokens=81").over_limit);
}

// The store is away when the report comes, or between its two takes: the
// estimate stays charged.
TEST_F(LimiterReserveTest, AReportThatFailsGivesNothingBack) {
  for (const int fail_after : {0, 1}) {
    SCOPED_TRACE(fail_after);
    Check("user_id=a,tokens=40,request_id=r" + std::to_string(fail_after));
    store_.fail_after = fail_after;
    EXPECT_FALSE(Report("user_id=a,usage=report,request_id=r" +
                            std::to_string(fail_after),
                        0)
                     .status.ok());
    EXPECT_EQ(Left(), 60 - 40 * fail_after);
  }
}

TEST_F(LimiterReserveTest, ADegradedRequestReservesNothing) {
  DegradeRule degrade;
  degrade.cheapest = "small";
  Rule tokens = Tokens(100);
  tokens.reserves = tokens.refundable = true;
  Rule requests{.path = "requests", .policy = {.limit = 1}};
  requests.degrade = std::make_shared<DegradeRule>(degrade);
  LoadTier(tokens, requests);
  Check("user_id=a,tokens=10,request_id=r1");
  const Answer degraded = Check("user_id=a,tokens=40,request_id=r2");
  EXPECT_FALSE(degraded.over_limit);
  EXPECT_TRUE(degraded.only().degraded);
  Report("user_id=a,usage=report,request_id=r2", 30);
  EXPECT_EQ(Total(RuleAt("tokens").counters.ok), 40);
  EXPECT_FALSE(Check("user_id=a,tokens=60").over_limit);
  EXPECT_TRUE(Check("user_id=a,tokens=61").over_limit);
}

TEST_F(LimiterReserveTest, OneOfAnIdInUseIsNotDegraded) {
  DegradeRule degrade;
  degrade.cheapest = "small";
  Rule tokens = Tokens(100);
  tokens.reserves = tokens.refundable = true;
  tokens.degrade = std::make_shared<DegradeRule>(degrade);
  LoadTier(tokens, {.path = "requests", .policy = {.limit = 100}});
  Check("user_id=a,tokens=10,request_id=r1");
  EXPECT_TRUE(Check("user_id=a,tokens=10,request_id=r1").over_limit);
}

// Units that are counted in this process cannot be given back elsewhere.
TEST_F(LimiterReserveTest, ALocalChargeIsNotReserved) {
  Rule tokens = Tokens(100);
  tokens.reserves = tokens.refundable = true;
  tokens.on_backend_error = OnBackendError::kLocal;
  LoadTier(tokens, {.path = "requests",
                    .policy = {.limit = 100},
                    .on_backend_error = OnBackendError::kLocal});
  store_.failure = absl::UnavailableError("gone");
  EXPECT_FALSE(Check("user_id=a,tokens=60,request_id=r1").over_limit);
  EXPECT_FALSE(Check("user_id=a,tokens=40,request_id=r1").over_limit);
  EXPECT_TRUE(Check("user_id=a,tokens=1,request_id=r2").over_limit);
  store_.failure = absl::OkStatus();
  Report("user_id=a,usage=report,request_id=r1", 30);
  EXPECT_EQ(Left(), 70);
}

}  // namespace
}  // namespace rls
