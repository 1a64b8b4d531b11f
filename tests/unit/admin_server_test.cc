#include "admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "unit/fake_limiter.h"
#include "unit/fake_tier_source.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kRequest[] =
    R"({"domain": "d", "descriptors": [{"entries": [{"key": "k"}]}]})";

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() {
    auto server = New("127.0.0.1:0");
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  absl::StatusOr<std::unique_ptr<AdminServer>> New(
      const std::string& http_address) {
    return NewAdminServer(
        {.http_address = http_address, .debug_address = "127.0.0.1:0"},
        {.handler = handler_,
         .forward_auth_handler = forward_auth_handler_,
         .metrics = *metrics_,
         .rules = rules_,
         .not_ready = [this] { return not_ready_; }});
  }

  static httplib::Client ClientOf(const std::string& address) {
    const size_t colon = address.rfind(':');
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(colon + 1), &port));
    return httplib::Client("127.0.0.1", port);
  }

  httplib::Result Get(const std::string& path) {
    return ClientOf(server_->http_address()).Get(path);
  }
  httplib::Result PostJson(const std::string& body) {
    return ClientOf(server_->http_address())
        .Post("/json", body, "application/json");
  }

  std::string not_ready_;
  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  RuleBookHolder rules_;
  FakeLimiter limiter_;
  RateLimitHandler handler_{limiter_, *clock_, {}};
  RateLimitHandler forward_auth_handler_{limiter_, *clock_, {.headers = true}};
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, HealthcheckSaysWhatIsMissing) {
  EXPECT_EQ(Get("/healthcheck")->status, 200);
  EXPECT_EQ(Get("/healthcheck")->body, "OK");
  not_ready_ = "draining";
  for (const char* path : {"/healthcheck", "/ready"}) {
    EXPECT_EQ(Get(path)->status, 503);
    EXPECT_EQ(Get(path)->body, "draining");
  }
  EXPECT_EQ(Get("/live")->status, 200);
}

TEST_F(AdminServerTest, MetricsAreInTheTextFormat) {
  metrics_->GetCounter({.name = "x_total", .help = "X"}).Add(3);
  const auto response = Get("/metrics");
  EXPECT_THAT(response->get_header_value("content-type"),
              HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(response->body, HasSubstr("x_total 3"));
}

TEST_F(AdminServerTest, JsonAnswersWithTheVerdictAsStatus) {
  EXPECT_EQ(PostJson(kRequest)->status, 200);
  limiter_.SetAnswer([](const Query&, auto done) {
    Verdict verdict;
    verdict.over_limit = true;
    verdict.statuses.push_back({.over_limit = true});
    done(&verdict);
  });
  const auto refused = PostJson(kRequest);
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->get_header_value("content-type"), "application/json");
  EXPECT_THAT(refused->body, HasSubstr("\"overallCode\":\"OVER_LIMIT\""));
}

TEST_F(AdminServerTest, JsonTellsBadBodiesAndABrokenStoreApart) {
  EXPECT_EQ(PostJson("{")->status, 400);
  EXPECT_EQ(PostJson("{}")->status, 400);
  EXPECT_EQ(PostJson("{}")->body, "domain: must not be empty");
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  });
  EXPECT_EQ(PostJson(kRequest)->status, 503);
  EXPECT_EQ(PostJson(kRequest)->body, "store is away");
}

// `curl -d` calls each body a form.
TEST_F(AdminServerTest, JsonIsReadWhateverItIsCalled) {
  const std::string request = absl::StrCat(
      R"({"domain": "d", "descriptors": [{"entries": [{"key": "k", "value": ")",
      std::string(60'000, 'x'), R"("}]}]})");
  httplib::Client client = ClientOf(server_->http_address());
  client.set_keep_alive(true);
  for (const char* type : {"application/x-www-form-urlencoded", "text/plain",
                           "application/json"}) {
    EXPECT_EQ(client.Post("/json", request, type)->status, 200) << type;
  }
  const httplib::MultipartFormDataItems items = {{"a", "b", "", ""}};
  EXPECT_EQ(client.Post("/json", items)->status, 400);
  EXPECT_EQ(client.Post("/json", kRequest, "text/plain")->status, 200);
}

TEST_F(AdminServerTest, ABodyOverTheLimitIsRefusedUnread) {
  const auto response = PostJson(std::string((1 << 20) + 1, ' '));
  EXPECT_TRUE(!response || response->status == 413);
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(AdminServerTest, OtherPathsAndMethodsAreNotFound) {
  for (const char* path : {"/json", "/json/", "/nothing", "/../etc/passwd"}) {
    EXPECT_EQ(Get(path)->status, 404) << path;
  }
}

TEST_F(AdminServerTest, RlconfigShowsOneLineForEachRule) {
  DomainSpec spec{.name = "d", .nodes = {{.key = "k", .rule = Rule{}}}};
  spec.nodes[0].rule->path = "k";
  spec.nodes[0].rule->policy = {.limit = 5, .burst = 2};
  auto book = std::make_shared<RuleBook>();
  book->domains.emplace("d", *CompileDomain(spec, *metrics_));
  rules_.Set(std::move(book));
  EXPECT_EQ(ClientOf(server_->debug_address()).Get("/rlconfig")->body,
            "d.k: limit=5 window=1m, algorithm=fixed_window, burst=2 "
            "(earned), shadow_mode: false, quota_mode: false\n");
  EXPECT_THAT(ClientOf(server_->debug_address()).Get("/")->body,
              HasSubstr("/rlconfig"));
}

TEST_F(AdminServerTest, RlconfigShowsEachLimitOfATier) {
  Rule tier{.path = "tier pro requests/1m", .policy = {.limit = 5}};
  tier.lease = LeaseTerms();
  tier.more = {{.path = "tier pro tokens/1m",
                .policy = {.limit = 900},
                .counted = Counted::kTokens,
                .reserves = true}};
  auto book = std::make_shared<RuleBook>();
  book->domains.emplace(
      "d", *CompileDomain({.name = "d", .tiers = TierSpec{.tiers = {tier}}},
                          *metrics_));
  rules_.Set(std::move(book));
  EXPECT_THAT(
      ClientOf(server_->debug_address()).Get("/rlconfig")->body,
      HasSubstr("d.tier pro requests/1m: limit=5 window=1m, "
                "algorithm=fixed_window, lease: 5% for 1s, shadow_mode: false, "
                "quota_mode: false\nd.tier pro tokens/1m: limit=900 window=1m, "
                "algorithm=fixed_window, counts: tokens, reserve: estimated, "
                "shadow_mode: false, quota_mode: false\n"));
}

TEST_F(AdminServerTest, RefreshAsksTheTierSourcesAnew) {
  const auto refresh = [this](const std::string& path) {
    return ClientOf(server_->debug_address()).Post(path.c_str());
  };
  EXPECT_EQ(refresh("/tiers/u/refresh")->status, 404);
  FakeTierSources sources;
  TierSpec tiers{.tiers = {Rule{.path = "tier pro", .tier = "pro"}},
                 .source = TierSourceSpec{}};
  auto book = std::make_shared<RuleBook>();
  for (const char* name : {"a", "b"}) {
    book->domains.emplace(name, *CompileDomain({.name = name, .tiers = tiers},
                                               *metrics_, &sources));
  }
  rules_.Set(std::move(book));
  sources.source->tiers = {{"u", "pro"}, {"a b/c", ""}, {"odd", "gold"}};
  EXPECT_EQ(refresh("/tiers/u/refresh")->body, "a: tier pro\nb: tier pro\n");
  EXPECT_EQ(refresh("/tiers/a%20b%2Fc/refresh?domain=b")->body, "b: no tier\n");
  EXPECT_EQ(refresh("/tiers/odd/refresh?domain=a")->body,
            "a: tier gold, not in user_tiers\n");
  EXPECT_EQ(refresh("/tiers/u/refresh?domain=c")->status, 404);
  const auto failed = refresh("/tiers/stranger/refresh?domain=a");
  EXPECT_EQ(failed->status, 502);
  EXPECT_EQ(failed->body, "a: no reply\n");
  EXPECT_EQ(ClientOf(server_->debug_address()).Get("/tiers/u/refresh")->status,
            404);
}

TEST_F(AdminServerTest, ATakenAddressIsAnErrorThatNamesIt) {
  const auto second = New(server_->http_address());
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(server_->http_address()));
}

}  // namespace
}  // namespace rls
