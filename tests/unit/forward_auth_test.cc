#include "admin/forward_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "unit/fake_limiter.h"

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
        std::string& text = asked_.emplace_back();
        for (const Entry& entry : descriptor.entries) {
          absl::StrAppend(&text, text.empty() ? "" : " ", entry.key, "=",
                          entry.value);
        }
      }
      answer_(query, std::move(done));
    });
  }

  using Headers = std::map<std::string, std::string>;

  absl::StatusOr<ForwardAuth::Answer> Decide(const Headers& headers,
                                             bool body_as_header = false) {
    asked_.clear();
    const auto forward_auth = ForwardAuth::Make(settings_, handler_);
    EXPECT_TRUE(forward_auth.ok()) << forward_auth.status();
    return forward_auth->Decide(
        [&](const std::string& name) {
          const auto it = headers.find(absl::AsciiStrToLower(name));
          return it == headers.end() ? "" : it->second;
        },
        body_as_header);
  }

  // The descriptors that the limiter is asked for, each as "key=value ...".
  std::vector<std::string> AskedFor(const Headers& headers) {
    EXPECT_TRUE(Decide(headers).ok());
    return asked_;
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
  std::vector<std::string> asked_;
  CompiledRule rule_{Rule{}};
  ForwardAuthSettings settings_;
  std::unique_ptr<Clock> clock_ = NewSystemClock();
  FakeLimiter limiter_;
  RateLimitHandler handler_{limiter_, *clock_, {.headers = true}};
};

std::vector<std::string> LinesOf(const ForwardAuth::Answer& answer) {
  std::vector<std::string> lines;
  for (const PlainHeader& header : answer.headers) {
    lines.push_back(absl::StrCat(header.name, ": ", header.value));
  }
  return lines;
}

TEST_F(ForwardAuthTest, TheDefaultAsksForWhoeverTheHeadersName) {
  EXPECT_THAT(AskedFor({{"x-user-id", "u"},
                        {"authorization", "Bearer t"},
                        {"x-api-key", "k"},
                        {"x-model", "gpt-4"},
                        {"x-forwarded-for", "10.0.0.1"},
                        {"accept", "*/*"}}),
              ElementsAre("user_id=u authorization=Bearer t api_key=k "
                          "model=gpt-4 remote_address=10.0.0.1"));
  EXPECT_EQ(domain_, "default");
}

TEST_F(ForwardAuthTest, NobodyIsAskedForToo) {
  EXPECT_THAT(AskedFor({}), ElementsAre(""));
  EXPECT_THAT(AskedFor({{"x-user-id", ""}}), ElementsAre(""));
}

TEST_F(ForwardAuthTest, OnlyTheLastHopOfAForwardedAddressCounts) {
  EXPECT_THAT(AskedFor({{"x-forwarded-for", "1.1.1.1, 2.2.2.2 ,\t3.3.3.3 "}}),
              ElementsAre("remote_address=3.3.3.3"));
}

TEST_F(ForwardAuthTest, TheFirstHeaderThatSaysSomethingCounts) {
  EXPECT_THAT(
      AskedFor({{"x-forwarded-for", "1.1.1.1"}, {"x-real-ip", "2.2.2.2"}}),
      ElementsAre("remote_address=1.1.1.1"));
  EXPECT_THAT(
      AskedFor({{"x-forwarded-for", "1.1.1.1, "}, {"x-real-ip", "2.2.2.2"}}),
      ElementsAre("remote_address=2.2.2.2"));
}

TEST_F(ForwardAuthTest, AValueMayHoldAnyBytes) {
  EXPECT_THAT(AskedFor({{"x-user-id", "\xff\xfe;=,|\x01"}}),
              ElementsAre("user_id=\xff\xfe;=,|\x01"));
}

TEST_F(ForwardAuthTest, SettingsNameDomainHeadersAndDescriptors) {
  settings_.domain = "shop";
  settings_.descriptors = "user=X-User, path = X-Forwarded-Uri;all=X-All|Host";
  EXPECT_THAT(AskedFor({{"x-user", "u"}, {"x-forwarded-uri", "/a"}}),
              ElementsAre("user=u path=/a", ""));
  EXPECT_THAT(AskedFor({{"host", "h"}}), ElementsAre("", "all=h"));
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
    EXPECT_FALSE(ForwardAuth::Make(settings_, handler_).ok());
  }
}

TEST_F(ForwardAuthTest, ARefusalHasTheBodyAndTheHeadersOfTheAnswer) {
  Refuse("slow \"down\"\n");
  const auto answer = Decide({});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->over_limit);
  EXPECT_EQ(answer->body, R"({"status": 429, "message": "slow \"down\"\n"})");
  EXPECT_THAT(LinesOf(*answer),
              ElementsAre("RateLimit-Limit: 5", "RateLimit-Remaining: 0",
                          "RateLimit-Reset: 42", "Retry-After: 42",
                          "content-type: application/json"));
}

TEST_F(ForwardAuthTest, AGatewayThatDropsBodiesGetsItAsAHeader) {
  Refuse("slow \"down\"\n");
  const auto answer = Decide({}, true);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(LinesOf(*answer).back(), "RateLimit-Body: " + answer->body);
}

TEST_F(ForwardAuthTest, ABodyThatWouldFillTheGatewaysBufferIsNoHeader) {
  Refuse(std::string(3000, 'x'));
  const auto answer = Decide({}, true);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_GT(answer->body.size(), 3000u);
  EXPECT_EQ(LinesOf(*answer).back(), "content-type: application/json");
}

TEST_F(ForwardAuthTest, FailuresKeepTheirCode) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decide({{"x-user-id", std::string(100'000, 'x')}}).status()));
  answer_ = [](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  };
  EXPECT_EQ(Decide({}).status(), absl::UnavailableError("store is away"));
}

TEST_F(ForwardAuthTest, NoSecretIsInAFailure) {
  const auto answer =
      Decide({{"authorization", "Bearer " + std::string(100'000, 's')}});
  EXPECT_THAT(std::string(answer.status().message()),
              ::testing::Not(HasSubstr("sss")));
}

TEST_F(ForwardAuthTest, AnAllowedRequestHasNoBody) {
  const auto answer = Decide({}, true);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->over_limit);
  EXPECT_EQ(answer->body, "");
  EXPECT_THAT(LinesOf(*answer), IsEmpty());
}

}  // namespace
}  // namespace rls
