#include "admin/forward_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fake_clock.h"
#include "unit/http/test_exchange.h"
#include "unit/limiter/fake_limiter.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ForwardAuthTest : public ::testing::Test {
 protected:
  ForwardAuthTest() {
    limiter_.SetAnswer([this](const Query& query, auto done) {
      domain_ = std::string(query.domain);
      for (const Descriptor& descriptor : query.descriptors) {
        std::string& text = descriptors_.emplace_back();
        for (const Entry& entry : descriptor.entries) {
          absl::StrAppend(&text, text.empty() ? "" : " ", entry.key, "=",
                          entry.value);
        }
      }
      answer_(query, std::move(done));
    });
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;

  TestExchange Decide(const Headers& headers, absl::string_view query = "") {
    descriptors_.clear();
    const auto forward_auth =
        ForwardAuth::Make(settings_, {}, limiter_, clock_);
    EXPECT_TRUE(forward_auth.ok()) << forward_auth.status();
    std::vector<HttpField> fields;
    for (const auto& [name, value] : headers) fields.push_back({name, value});
    HttpRequest request;
    request.query = query;
    request.fields = fields;
    TestExchange exchange;
    forward_auth->Decide(request, HttpReply(exchange));
    return exchange;
  }

  // The descriptors of the query that the limiter gets, each as "key=value
  // ...".
  std::vector<std::string> DescriptorsFor(const Headers& headers) {
    EXPECT_EQ(Decide(headers).status, 200);
    return descriptors_;
  }

  void Refuse(const std::string& message) {
    rule_.message = message;
    rule_.policy.limit = 5;
    answer_ = [this](const Query&, auto done) {
      Verdict verdict;
      verdict.over_limit = true;
      verdict.statuses.push_back({.over_limit = true,
                                  .policy = &rule_.policy,
                                  .rule = &rule_,
                                  .reset = absl::Seconds(42)});
      verdict.leading = &verdict.statuses[0];
      done(&verdict);
    };
  }

  FakeLimiter::Answer answer_ = [](const Query&, auto done) {
    Verdict verdict;
    done(&verdict);
  };
  std::string domain_;
  std::vector<std::string> descriptors_;
  CompiledRule rule_{Rule{}};
  ForwardAuthSettings settings_;
  FakeClock clock_;
  FakeLimiter limiter_;
};

TEST_F(ForwardAuthTest, TheDefaultSendsEveryIdentityHeader) {
  EXPECT_THAT(DescriptorsFor({{"x-user-id", "u"},
                              {"authorization", "Bearer t"},
                              {"x-api-key", "k"},
                              {"x-model", "gpt-4"},
                              {"x-forwarded-for", "10.0.0.1"},
                              {"accept", "*/*"}}),
              ElementsAre("user_id=u authorization=Bearer t api_key=k "
                          "model=gpt-4 remote_address=10.0.0.1"));
  EXPECT_EQ(domain_, "default");
}

TEST_F(ForwardAuthTest, ARequestWithoutIdentityIsCheckedToo) {
  EXPECT_THAT(DescriptorsFor({}), ElementsAre(""));
  EXPECT_THAT(DescriptorsFor({{"x-user-id", ""}}), ElementsAre(""));
}

TEST_F(ForwardAuthTest, OnlyTheLastHopOfAForwardedAddressCounts) {
  EXPECT_THAT(
      DescriptorsFor({{"x-forwarded-for", "1.1.1.1, 2.2.2.2 ,\t3.3.3.3 "}}),
      ElementsAre("remote_address=3.3.3.3"));
}

TEST_F(ForwardAuthTest, APortOfAForwardedAddressDoesNotCount) {
  EXPECT_THAT(DescriptorsFor({{"x-forwarded-for", "1.1.1.1:80, 3.3.3.3:4711"}}),
              ElementsAre("remote_address=3.3.3.3"));
  EXPECT_THAT(DescriptorsFor({{"x-forwarded-for", "[2001:db8::1]:443"}}),
              ElementsAre("remote_address=2001:db8::1"));
  EXPECT_THAT(DescriptorsFor({{"x-forwarded-for", "unknown:80"}}),
              ElementsAre("remote_address=unknown:80"));
}

TEST_F(ForwardAuthTest, TheFirstHeaderWithAValueCounts) {
  EXPECT_THAT(DescriptorsFor(
                  {{"x-forwarded-for", "1.1.1.1"}, {"x-real-ip", "2.2.2.2"}}),
              ElementsAre("remote_address=1.1.1.1"));
  EXPECT_THAT(DescriptorsFor(
                  {{"x-forwarded-for", "1.1.1.1, "}, {"x-real-ip", "2.2.2.2"}}),
              ElementsAre("remote_address=2.2.2.2"));
}

TEST_F(ForwardAuthTest, AValueMayHoldAnyBytes) {
  EXPECT_THAT(DescriptorsFor({{"x-user-id", "\xff\xfe;=,|\x01"}}),
              ElementsAre("user_id=\xff\xfe;=,|\x01"));
}

TEST_F(ForwardAuthTest, SettingsNameDomainHeadersAndDescriptors) {
  settings_.domain = "shop";
  settings_.descriptors = "user=X-User, path = X-Forwarded-Uri;all=X-All|Host";
  EXPECT_THAT(DescriptorsFor({{"x-user", "u"}, {"x-forwarded-uri", "/a"}}),
              ElementsAre("user=u path=/a", ""));
  EXPECT_THAT(DescriptorsFor({{"host", "h"}}), ElementsAre("", "all=h"));
  EXPECT_EQ(domain_, "shop");
}

TEST_F(ForwardAuthTest, MistakesInTheSettingAreShown) {
  for (const char* text : {"", "user", "user=", "=X-User", "a=B,", "a=B;",
                           "a=B C", "a=B|", "a=B:"}) {
    const auto parsed = ParseHeaderDescriptors(text);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << text;
    EXPECT_THAT(std::string(parsed.status().message()),
                HasSubstr("expected key=Header"));
    settings_.descriptors = text;
    EXPECT_FALSE(ForwardAuth::Make(settings_, {}, limiter_, clock_).ok());
  }
}

TEST_F(ForwardAuthTest, ARefusalHasTheBodyAndTheHeadersOfTheAnswer) {
  Refuse("slow \"down\"\n");
  const TestExchange answer = Decide({});
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.body, R"({"status": 429, "message": "slow \"down\"\n"})");
  EXPECT_THAT(answer.lines,
              ElementsAre("RateLimit-Limit: 5", "RateLimit-Remaining: 0",
                          "RateLimit-Reset: 42", "Retry-After: 42",
                          "content-type: application/json"));
}

TEST_F(ForwardAuthTest, AGatewayThatDropsBodiesGetsTheBodyAsAHeader) {
  Refuse("slow \"down\"\n");
  const TestExchange answer = Decide({}, "body=header");
  EXPECT_EQ(answer.lines.back(), "RateLimit-Body: " + answer.body);
}

TEST_F(ForwardAuthTest, ABodyTooLargeForTheGatewaysBufferIsNotAHeader) {
  Refuse(std::string(3000, 'x'));
  const TestExchange answer = Decide({}, "body=header");
  EXPECT_GT(answer.body.size(), 3000u);
  EXPECT_EQ(answer.lines.back(), "content-type: application/json");
}

TEST_F(ForwardAuthTest, FailuresKeepTheirCode) {
  EXPECT_EQ(Decide({{"x-user-id", std::string(100'000, 'x')}}).status, 400);
  answer_ = [](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  };
  EXPECT_EQ(Decide({}).status, 503);
  EXPECT_EQ(Decide({}).body, "store is away");
}

TEST_F(ForwardAuthTest, TheTimeoutIsTheDeadlineOfTheQuery) {
  absl::Time deadline;
  answer_ = [&deadline](const Query& query, auto done) {
    deadline = query.deadline;
    Verdict verdict;
    done(&verdict);
  };
  settings_.timeout = absl::Seconds(2);
  EXPECT_EQ(Decide({}).status, 200);
  EXPECT_EQ(deadline, clock_.Now() + absl::Seconds(2));
  settings_.timeout = absl::ZeroDuration();
  EXPECT_EQ(Decide({}).status, 503);
  EXPECT_EQ(limiter_.checks(), 1);
}

// A gateway that gives up while its request is held lets the request pass.
TEST_F(ForwardAuthTest, OnlyARequestWithAWaitIsHeld) {
  const Caller* caller = nullptr;
  absl::Time deadline;
  answer_ = [&](const Query& query, auto done) {
    caller = query.caller;
    deadline = query.deadline;
    Verdict verdict;
    done(&verdict);
  };
  EXPECT_EQ(Decide({}).status, 200);
  EXPECT_EQ(caller, nullptr);
  EXPECT_EQ(Decide({}, "body=header&wait=1m").status, 200);
  EXPECT_NE(caller, nullptr);
  EXPECT_EQ(deadline, clock_.Now() + absl::Minutes(1));
  EXPECT_EQ(Decide({}, "wait=0s").status, 503);
  EXPECT_EQ(Decide({}, "wait=5").status, 400);
  EXPECT_EQ(
      Decide({}, "wait=5").body,
      "wait: found \"5\", expected a duration with its unit, such as 30s");
}

TEST_F(ForwardAuthTest, ADegradedRequestHasTheHeadersForTheUpstream) {
  const DegradeRule degrade;
  answer_ = [&degrade](const Query&, auto done) {
    Verdict verdict;
    verdict.degraded = &degrade;
    verdict.model = "small";
    done(&verdict);
  };
  const TestExchange answer = Decide({});
  EXPECT_THAT(answer.lines,
              ElementsAre("x-ratelimit-degraded: true", "x-model: small"));
}

TEST_F(ForwardAuthTest, NoSecretIsInAFailure) {
  const TestExchange answer =
      Decide({{"authorization", "Bearer " + std::string(100'000, 's')}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, ::testing::Not(HasSubstr("sss")));
}

TEST_F(ForwardAuthTest, AnAllowedRequestHasNoBody) {
  const TestExchange answer = Decide({}, "body=header");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_THAT(answer.lines, IsEmpty());
}

}  // namespace
}  // namespace rls
