#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

class LimiterFailure : public LimiterTest {
 protected:
  static RuleNode Meanwhile(const std::string& key, OnBackendError policy) {
    RuleNode node = Limited(key, 2);
    node.rule->on_backend_error = policy;
    return node;
  }

  void SetUp() override {
    LoadNodes({Meanwhile("error", OnBackendError::kError),
               Meanwhile("allow", OnBackendError::kAllow),
               Meanwhile("deny", OnBackendError::kDeny),
               Meanwhile("local", OnBackendError::kLocal)});
    store_.failure = absl::UnavailableError("nobody answers");
  }
};

TEST_F(LimiterFailure, ErrorLeavesItToTheGateway) {
  EXPECT_EQ(Check("error=1").status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(LimiterFailure, AllowLetsEveryRequestBy) {
  for (int i = 0; i < 5; ++i) {
    const Answer answer = Check("allow=1");
    ASSERT_TRUE(answer.status.ok());
    EXPECT_FALSE(answer.over_limit);
    EXPECT_FALSE(answer.only().over_limit);
  }
}

TEST_F(LimiterFailure, DenyRefusesEveryRequest) {
  const Answer answer = Check("deny=1");
  ASSERT_TRUE(answer.status.ok());
  EXPECT_TRUE(answer.over_limit);
  EXPECT_TRUE(answer.only().over_limit);
  EXPECT_EQ(answer.leading, 0);
  EXPECT_GT(answer.only().reset, absl::ZeroDuration());
}

TEST_F(LimiterFailure, LocalCountsInThisProcessMeanwhile) {
  EXPECT_EQ(Check("local=1").only().remaining, 1);
  EXPECT_EQ(Check("local=1").only().remaining, 0);
  EXPECT_TRUE(Check("local=1").over_limit);
  EXPECT_EQ(memory_->size(), 0u);
  store_.failure = absl::OkStatus();
  EXPECT_EQ(Check("local=1").only().remaining, 1);
}

TEST_F(LimiterFailure, ReplicasShareALocalLimit) {
  RuleNode large = Limited("large", 100);
  large.rule->on_backend_error = OnBackendError::kLocal;
  LoadNodes({large, Meanwhile("small", OnBackendError::kLocal)});
  limiter_ = NewLimiter({.rules = rules_,
                         .loop = loop_,
                         .store = store_,
                         .local_store = *local_,
                         .replicas = 4,
                         .clock = clock_,
                         .metrics = metrics_});
  EXPECT_EQ(Check("large=1").only().remaining, 24);
  // Every process may admit at least one unit.
  EXPECT_EQ(Check("small=1").only().remaining, 0);
  EXPECT_TRUE(Check("small=1").over_limit);
}

TEST_F(LimiterFailure, EachDegradedAnswerIsCounted) {
  Check("error=1");
  Check("allow=1");
  Check("allow=1");
  Check("deny=1");
  Check("local=1");
  const auto counted = [&](const char* policy) {
    return static_cast<FakeCounter&>(
               metrics_.GetCounter({.name = "ratelimitd_degraded_total",
                                    .help = "",
                                    .labels = {{"policy", policy}}}))
        .total;
  };
  EXPECT_EQ(counted("error"), 1);
  EXPECT_EQ(counted("allow"), 2);
  EXPECT_EQ(counted("deny"), 1);
  EXPECT_EQ(counted("local"), 1);
}

TEST_F(LimiterFailure, AFullLocalStoreIsAnError) {
  local_ = NewMemoryStore(clock_, {.max_counters = 0});
  limiter_ = NewLimiter({.rules = rules_,
                         .loop = loop_,
                         .store = store_,
                         .local_store = *local_,
                         .clock = clock_,
                         .metrics = metrics_});
  EXPECT_EQ(Check("local=1").status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(LimiterFailure, OneRuleThatWantsTheErrorOutweighsAllOthers) {
  const Answer answer = Check(
      Asking({Of("allow=1"), Of("deny=1"), Of("local=1"), Of("error=1")}));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(LimiterFailure, OneRuleThatDeniesOutweighsAllThatAllow) {
  const Answer answer =
      Check(Asking({Of("allow=1"), Of("local=1"), Of("deny=1")}));
  ASSERT_TRUE(answer.status.ok());
  EXPECT_TRUE(answer.over_limit);
  EXPECT_FALSE(answer.statuses[0].over_limit);
  EXPECT_TRUE(answer.statuses[2].over_limit);
  EXPECT_EQ(answer.leading, 2);
}

TEST_F(LimiterFailure, LocalRulesCountBesideRulesThatAllow) {
  const Query both = Asking({Of("allow=1"), Of("x=1"), Of("local=1")});
  for (const int64_t remaining : {1, 0}) {
    const Answer answer = Check(both);
    EXPECT_FALSE(answer.over_limit);
    EXPECT_EQ(answer.statuses[2].remaining, remaining);
    EXPECT_EQ(answer.leading, 2);
  }
  const Answer over = Check(both);
  EXPECT_TRUE(over.over_limit);
  EXPECT_FALSE(over.statuses[0].over_limit);
  EXPECT_TRUE(over.statuses[2].over_limit);
}

TEST_F(LimiterFailure, AShadowRuleDoesNotDenyEither) {
  RuleNode node = Meanwhile("s", OnBackendError::kDeny);
  node.rule->shadow = true;
  LoadNodes({node});
  EXPECT_FALSE(Check("s=1").over_limit);
}

TEST_F(LimiterFailure, AnOverrideFailsAsAnErrorDoes) {
  Descriptor descriptor = Of("allow=1");
  descriptor.limit_override = Policy{.limit = 5};
  EXPECT_EQ(Check(Asking({descriptor})).status.code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(LimiterFailure, ARequestWithoutCountersNeedsNoStore) {
  EXPECT_TRUE(Check("unmatched=1").status.ok());
}

TEST_F(LimiterFailure, AFullStoreCountsAsOneThatCannotAnswer) {
  store_.failure = absl::ResourceExhaustedError("full");
  EXPECT_EQ(Check("error=1").status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(Check("allow=1").over_limit);
  EXPECT_TRUE(Check("deny=1").over_limit);
  EXPECT_EQ(Check("local=1").only().remaining, 1);
}

TEST_F(LimiterFailure, ADeadlineThatPassedInTheStorePassesThrough) {
  store_.failure = absl::DeadlineExceededError("too late");
  for (const char* text : {"error=1", "allow=1", "deny=1", "local=1"}) {
    EXPECT_EQ(Check(text).status.code(), absl::StatusCode::kDeadlineExceeded)
        << text;
  }
}

TEST_F(LimiterFailure, WorkWhoseDeadlineHasPassedIsDroppedBeforeItCharges) {
  store_.failure = absl::OkStatus();
  Query query = Asking({Of("error=1")});
  query.deadline = clock_.Now() - absl::Milliseconds(1);
  EXPECT_EQ(Check(query).status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Remaining("error=1"), 2);
}

TEST_F(LimiterFailure, TheRulesOutliveAReloadWhileTheStoreIsSlow) {
  store_.failure = absl::OkStatus();
  store_.is_held = true;
  const Query query = Asking({Of("error=1"), Of("deny=1")});
  Answer first;
  Answer second;
  Start(query, first);
  Start(query, second);
  EXPECT_EQ(first.dones, 0);
  LoadNodes({});
  store_.Release();
  EXPECT_EQ(first.dones, 1);
  EXPECT_EQ(second.dones, 1);
  EXPECT_EQ(first.statuses.at(1).remaining, 1);
  EXPECT_EQ(second.statuses.at(1).remaining, 0);
}

}  // namespace
}  // namespace rls
