// Held requests: when they are served, in which order, and which slots they
// give back if they leave early.

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "unit/limiter/limiter_fixture.h"

namespace rls {
namespace {

using absl::Seconds;

// The free tier of the recipe (docs/TIERS.md) with `enforce: queue`.
DomainSpec FreeTier(QueueRule queue = {.max_wait = absl::Minutes(5)}) {
  DomainSpec spec;
  spec.tiers.emplace();
  spec.tiers->identity = {{.key = "user_id"}};
  spec.tiers->default_rule = {.path = "default",
                              .policy = {.limit = 5, .burst = 2, .queue = true},
                              .message = "wait",
                              .queue = queue};
  return spec;
}

class LimiterQueueTest : public LimiterTest {
 protected:
  struct Request {
    Caller caller;
    Query query;
    Answer answer;
    absl::Duration answered_at;  // since kStart
  };

  LimiterQueueTest() { Load(FreeTier()); }

  // Checks a request that has a Caller.
  Request& Ask(absl::string_view descriptor = "user_id=alice",
               absl::Time deadline = absl::InfiniteFuture()) {
    Request& request = requests_.emplace_back();
    request.query = Asking({Of(descriptor)});
    request.query.caller = &request.caller;
    request.query.deadline = deadline;
    limiter_->Check(request.query, [this, &request](
                                       absl::StatusOr<const Verdict*> verdict) {
      ++request.answer.dones;
      request.answer.status = verdict.status();
      order_.push_back(&request);
      if (!verdict.ok()) return;
      request.answer.over_limit = (*verdict)->over_limit;
      request.answer.statuses.assign((*verdict)->statuses.begin(),
                                     (*verdict)->statuses.end());
    });
    return request;
  }
  std::vector<Request*> AskTimes(int count) {
    std::vector<Request*> asked;
    for (int i = 0; i < count; ++i) asked.push_back(&Ask());
    return asked;
  }

  void Advance(absl::Duration by) {
    clock_.Advance(by);
    loop_.FireTimers();
  }

  static int Served(const std::vector<Request*>& requests) {
    int served = 0;
    for (const Request* request : requests) {
      EXPECT_LE(request->answer.dones, 1);
      served += request->answer.dones == 1 && request->answer.status.ok() &&
                        !request->answer.over_limit
                    ? 1
                    : 0;
    }
    return served;
  }
  double Refused(const std::string& reason) {
    return Total(&metrics_.GetCounter({.name = "ratelimitd_queue_refused_total",
                                       .help = "",
                                       .labels = {{"reason", reason}}}));
  }

  std::deque<Request> requests_;  // a request must outlive its answer
  std::vector<Request*> order_;   // of the answers
};

TEST_F(LimiterQueueTest, TwelveAtOnceAreServedInThreeWindowsInOrder) {
  const std::vector<Request*> asked = AskTimes(12);
  EXPECT_EQ(Served(asked), 5);
  Advance(Seconds(59));
  EXPECT_EQ(Served(asked), 5);
  Advance(Seconds(1));
  EXPECT_EQ(Served(asked), 10);
  Advance(Seconds(60));
  EXPECT_EQ(Served(asked), 12);
  EXPECT_EQ(order_, asked);
}

TEST_F(LimiterQueueTest, UsersDoNotWaitForEachOther) {
  AskTimes(7);
  EXPECT_EQ(Ask("user_id=bob").answer.dones, 1);
}

TEST_F(LimiterQueueTest, AServedRequestShowsTheLimitAsItIsThen) {
  AskTimes(5);
  Request& held = Ask();
  Advance(Seconds(60));
  EXPECT_EQ(held.answer.only().reset, Seconds(60));
  EXPECT_FALSE(held.answer.only().over_limit);
  EXPECT_EQ(Total(RuleAt("default").counters.ok), 6);
}

TEST_F(LimiterQueueTest, NoRequestIsHeldLongerThanItsRuleAllows) {
  Load(FreeTier({.max_wait = Seconds(70)}));
  AskTimes(10);
  Request& refused = Ask();
  EXPECT_TRUE(refused.answer.over_limit);
  EXPECT_EQ(refused.answer.only().reset, Seconds(50));
  EXPECT_EQ(Refused("max_wait"), 1);
}

TEST_F(LimiterQueueTest, TheQueueBoundsOfEveryLimitHold) {
  DomainSpec spec = FreeTier();
  Rule& hourly = spec.tiers->default_rule.more.emplace_back();
  hourly.path = "default.hour";
  hourly.policy = {.limit = 100, .window = absl::Hours(1), .queue = true};
  hourly.queue.max_wait = Seconds(59);
  Load(spec);
  AskTimes(5);
  EXPECT_TRUE(Ask().answer.over_limit);
  EXPECT_EQ(Refused("max_wait"), 1);
}

TEST_F(LimiterQueueTest, NoRequestIsHeldPastItsDeadline) {
  AskTimes(5);
  Request& refused = Ask("user_id=alice", clock_.Now() + Seconds(60));
  EXPECT_TRUE(refused.answer.over_limit);
  EXPECT_EQ(Refused("deadline"), 1);
  Request& held = Ask("user_id=alice", clock_.Now() + Seconds(61));
  EXPECT_EQ(held.answer.dones, 0);
  Advance(Seconds(60));
  EXPECT_EQ(held.answer.dones, 1);
}

TEST_F(LimiterQueueTest, ARequestWithoutACallerIsRefused) {
  AskTimes(5);
  const Answer answer = Check("user_id=alice");
  EXPECT_TRUE(answer.over_limit);
  EXPECT_EQ(answer.only().reset, Seconds(60));
  EXPECT_EQ(Refused("cannot_wait"), 1);
}

TEST_F(LimiterQueueTest, TooManyOfOneUserAreRefused) {
  Load(FreeTier({.max_wait = absl::Minutes(5), .max_queued_per_user = 2}));
  AskTimes(7);
  EXPECT_TRUE(Ask().answer.over_limit);
  EXPECT_EQ(Refused("max_queued_per_user"), 1);
}

TEST_F(LimiterQueueTest, TooManyInAllAreRefused) {
  Load(FreeTier({.max_wait = absl::Minutes(5), .max_queued = 2}));
  AskTimes(7);
  for (int i = 0; i < 5; ++i) Ask("user_id=bob");
  EXPECT_TRUE(Ask("user_id=bob").answer.over_limit);
  EXPECT_EQ(Refused("max_queued"), 1);
  Advance(Seconds(60));
  for (int i = 0; i < 5; ++i) Ask("user_id=bob");
  EXPECT_EQ(Ask("user_id=bob").answer.dones, 0);
}

TEST_F(LimiterQueueTest, NoMoreAreHeldThanMayBeHoweverManyAskAtOnce) {
  Load(FreeTier({.max_wait = absl::Minutes(5), .max_queued = 2}));
  store_.is_held = true;
  const std::vector<Request*> asked = AskTimes(9);
  store_.Release();
  store_.is_held = false;
  store_.Release();
  EXPECT_EQ(Served(asked), 5);
  EXPECT_TRUE(asked[7]->answer.over_limit);
  EXPECT_TRUE(asked[8]->answer.over_limit);
  EXPECT_EQ(Refused("max_queued"), 2);
  Advance(Seconds(60));
  EXPECT_EQ(Served(asked), 7);
  // The slots of the refused requests are free again.
  EXPECT_EQ(Remaining("user_id=alice"), 3);
}

TEST_F(LimiterQueueTest,
       ARequestThatBooksBeforeADrainAndComesAfterItIsRefused) {
  AskTimes(5);
  store_.is_held = true;
  Request& late = Ask();
  limiter_->Drain(Seconds(1));
  store_.is_held = false;
  store_.Release();
  EXPECT_TRUE(late.answer.over_limit);
}

TEST_F(LimiterQueueTest, ARequestThatBookedByOldRulesIsDecidedAnew) {
  AskTimes(5);
  store_.is_held = true;
  Request& late = Ask();
  DomainSpec raised = FreeTier();
  raised.tiers->default_rule.policy.limit = 8;
  Load(std::move(raised));
  store_.is_held = false;
  store_.Release();
  EXPECT_EQ(late.answer.dones, 1);
  EXPECT_FALSE(late.answer.over_limit);
}

TEST_F(LimiterQueueTest, ACrowdIsDecidedAnewInPortionsAndInOrder) {
  Load(FreeTier({.max_wait = absl::Hours(24), .max_queued_per_user = 10'000}));
  const std::vector<Request*> asked = AskTimes(605);
  DomainSpec raised = FreeTier({.max_queued_per_user = 10'000});
  raised.tiers->default_rule.policy.limit = 1000;
  order_.clear();
  Load(std::move(raised));
  EXPECT_GT(Served(asked), 5);
  EXPECT_LT(Served(asked), 605);
  for (int i = 0; i < 10; ++i) Advance(absl::Milliseconds(2));
  EXPECT_EQ(Served(asked), 605);
  EXPECT_TRUE(std::equal(order_.begin(), order_.end(), asked.begin() + 5));
}

TEST_F(LimiterQueueTest, ACallerThatGoesAwayGivesItsSlotBack) {
  const std::vector<Request*> asked = AskTimes(11);
  asked[5]->caller.Leave();
  EXPECT_EQ(asked[5]->answer.dones, 1);
  EXPECT_EQ(asked[5]->answer.status.code(), absl::StatusCode::kCancelled);
  Advance(Seconds(60));
  // The request of the third window has moved up.
  EXPECT_EQ(Served(asked), 10);
  EXPECT_EQ(Ask().answer.dones, 0);
}

TEST_F(LimiterQueueTest, RequestsBehindMoveUpInOrderAndNoSlotIsLost) {
  const std::vector<Request*> asked = AskTimes(15);
  for (const int gone : {6, 5, 8}) {
    asked[static_cast<size_t>(gone)]->caller.Leave();
  }
  // The free slots are the last ones: three of the third window.
  AskTimes(3);
  Request& fourth_window = Ask();
  Advance(Seconds(60));
  EXPECT_EQ(Served(asked), 10);
  Advance(Seconds(60));
  EXPECT_EQ(fourth_window.answer.dones, 0);
  EXPECT_EQ(Served(asked), 12);
  Advance(Seconds(60));
  EXPECT_EQ(fourth_window.answer.dones, 1);
}

// Each leave once took a step for every request behind: six thousand that left
// at once held up all others for six seconds.
TEST_F(LimiterQueueTest, ACrowdThatLeavesFromTheFrontKeepsTheOrderOfTheRest) {
  Load(FreeTier({.max_wait = absl::Hours(2), .max_queued_per_user = 10'000}));
  AskTimes(5);
  const std::vector<Request*> crowd = AskTimes(500);
  const std::vector<Request*> rest = AskTimes(7);
  for (Request* request : crowd) request->caller.Leave();
  order_.clear();
  Advance(Seconds(60));
  EXPECT_EQ(Served(rest), 5);
  Advance(Seconds(60));
  EXPECT_EQ(order_, rest);
  EXPECT_EQ(Served(rest), 7);
}

// A request is due later than the start of its slot if the store's answer was
// late. A request that moves up into that slot waits as long.
TEST_F(LimiterQueueTest, ARequestThatMovesUpDoesNotOvertakeThoseInItsNewSlot) {
  AskTimes(5);
  Request& leaving = Ask();  // in the second window, due after 60 s
  store_.is_late = true;
  std::vector<Request*> asked = {&Ask()};  // in the second window, too
  store_.is_late = false;
  Advance(Seconds(10));
  store_.Release();                                     // due after 70 s
  for (int i = 0; i < 4; ++i) asked.push_back(&Ask());  // one in the third
  order_.clear();
  leaving.caller.Leave();
  Advance(Seconds(50));
  EXPECT_EQ(order_, std::vector<Request*>{&leaving});
  Advance(Seconds(10));
  EXPECT_EQ(Served(asked), 5);
  asked.insert(asked.begin(), &leaving);
  EXPECT_EQ(order_, asked);
}

TEST_F(LimiterQueueTest, ACallerThatHasLeftAlreadyIsNotHeld) {
  AskTimes(5);
  Request& request = requests_.emplace_back();
  request.caller.Leave();
  request.query = Asking({Of("user_id=alice")});
  request.query.caller = &request.caller;
  Start(request.query, request.answer);
  EXPECT_EQ(request.answer.status.code(), absl::StatusCode::kCancelled);
  Request& next = Ask();
  Advance(Seconds(60));
  EXPECT_EQ(next.answer.dones, 1);
}

TEST_F(LimiterQueueTest, AReloadDecidesHeldRequestsAnew) {
  const std::vector<Request*> asked = AskTimes(12);
  DomainSpec raised = FreeTier();
  raised.tiers->default_rule.policy.limit = 8;
  Load(std::move(raised));
  EXPECT_EQ(Served(asked), 8);
  Advance(Seconds(60));
  EXPECT_EQ(Served(asked), 12);
  EXPECT_EQ(order_, asked);
}

TEST_F(LimiterQueueTest, AReloadWithoutAQueueRefusesHeldRequests) {
  const std::vector<Request*> asked = AskTimes(7);
  DomainSpec rejecting = FreeTier();
  rejecting.tiers->default_rule.policy.queue = false;
  Load(std::move(rejecting));
  EXPECT_EQ(Served(asked), 5);
  EXPECT_TRUE(asked[6]->answer.over_limit);
  Advance(Seconds(60));
  EXPECT_EQ(Served(AskTimes(5)), 5);
}

TEST_F(LimiterQueueTest, AReloadOfAnotherDomainDisturbsNoRequest) {
  const std::vector<Request*> asked = AskTimes(7);
  rules_.Set(std::make_shared<RuleBook>(*rules_.Get()));
  EXPECT_EQ(asked[5]->answer.dones, 0);
}

TEST_F(LimiterQueueTest,
       ADrainServesRequestsThatAreDueInTimeAndRefusesTheRest) {
  const std::vector<Request*> asked = AskTimes(12);
  limiter_->Drain(Seconds(90));
  EXPECT_TRUE(asked[10]->answer.over_limit);
  EXPECT_EQ(asked[10]->answer.only().reset, Seconds(120));
  EXPECT_EQ(asked[9]->answer.dones, 0);
  EXPECT_TRUE(Ask().answer.over_limit);
  EXPECT_EQ(Refused("drain"), 1);
  Advance(Seconds(60));
  EXPECT_EQ(Served(asked), 10);
  // The slots of the third window are free again.
  Advance(Seconds(60));
  EXPECT_EQ(Remaining("user_id=alice"), 5);
}

TEST_F(LimiterQueueTest, ADrainServesARequestThatIsDueAtItsEnd) {
  const std::vector<Request*> asked = AskTimes(6);
  limiter_->Drain(Seconds(61));  // a second is for the answers
  Advance(Seconds(60));
  EXPECT_EQ(Served(asked), 6);
}

TEST_F(LimiterQueueTest, WithoutAStoreNoRequestIsHeld) {
  AskTimes(5);
  store_.failure = absl::UnavailableError("gone");
  Request& failed = Ask();
  EXPECT_EQ(failed.answer.status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(LimiterQueueTest, ABucketPacesHeldRequests) {
  DomainSpec spec = FreeTier();
  spec.tiers->default_rule.policy = {
      .algorithm = Algorithm::kTokenBucket, .limit = 6, .queue = true};
  Load(std::move(spec));
  const std::vector<Request*> asked = AskTimes(4);
  for (int served = 1; served <= 4; ++served) {
    EXPECT_EQ(Served(asked), served);
    Advance(Seconds(10));
  }
  EXPECT_EQ(order_, asked);
}

TEST_F(LimiterQueueTest, ABucketsWaitersMoveUp) {
  DomainSpec spec = FreeTier();
  spec.tiers->default_rule.policy = {
      .algorithm = Algorithm::kTokenBucket, .limit = 6, .queue = true};
  Load(std::move(spec));
  const std::vector<Request*> asked = AskTimes(5);
  asked[2]->caller.Leave();
  Advance(Seconds(20));
  EXPECT_EQ(asked[3]->answer.dones, 1);
  EXPECT_EQ(asked[4]->answer.dones, 0);
  Request& next = Ask();
  Advance(Seconds(10));
  EXPECT_EQ(asked[4]->answer.dones, 1);
  EXPECT_EQ(next.answer.dones, 0);
  Advance(Seconds(10));
  EXPECT_EQ(next.answer.dones, 1);
}

}  // namespace
}  // namespace rls
