#include "admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "admin/json_page.h"
#include "base/clock.h"
#include "unit/http/http_test_client.h"
#include "unit/limiter/fake_limiter.h"
#include "unit/limiter/fake_tier_source.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kRequest[] =
    R"({"domain": "d", "descriptors": [{"entries": [{"key": "k"}]}]})";

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() {
    loops_.Start();
    auto server = New("127.0.0.1:0");
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  absl::StatusOr<std::unique_ptr<AdminServer>> New(
      const std::string& http_address,
      std::optional<PrometheusOptions> prometheus = std::nullopt) {
    return NewAdminServer({.http_address = http_address,
                           .debug_address = "127.0.0.1:0",
                           .prometheus = std::move(prometheus)},
                          {.loops = loops_,
                           .limiter = limiter_,
                           .clock = *clock_,
                           .metrics = *metrics_,
                           .rules = rules_,
                           .answers = {},
                           .not_ready = [this] { return not_ready_; },
                           .store_state = [this] { return store_state_; }});
  }

  HttpTestAnswer Get(const std::string& path) {
    return HttpTestClient(server_->http_address()).Get(path);
  }
  HttpTestAnswer PostJson(const std::string& body) {
    return HttpTestClient(server_->http_address()).Post("/json", body);
  }
  HttpTestAnswer GetDebug(const std::string& path) {
    return HttpTestClient(server_->debug_address()).Get(path);
  }

  std::string not_ready_;
  std::string store_state_;
  std::unique_ptr<Clock> clock_ = NewSystemClock();
  std::unique_ptr<Metrics> metrics_ = NewMetrics();
  RuleBookHolder rules_;
  FakeLimiter limiter_;
  LoopThreads loops_{2};
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, HealthcheckShowsTheReason) {
  EXPECT_EQ(Get("/healthcheck").status, 200);
  EXPECT_EQ(Get("/healthcheck").body, "OK");
  not_ready_ = "draining";
  for (const char* path : {"/healthcheck", "/ready"}) {
    EXPECT_EQ(Get(path).status, 503);
    EXPECT_EQ(Get(path).body, "draining");
  }
  EXPECT_EQ(Get("/live").status, 200);
}

// The rules decide about requests while the store is away.
TEST_F(AdminServerTest, AStoreThatIsAwayIsNamedButNoReason) {
  EXPECT_EQ(Get("/ready").body, "OK");
  EXPECT_THAT(Get("/metrics").body, HasSubstr("ratelimitd_store_ready 1"));
  store_state_ = "WRONGPASS";
  EXPECT_EQ(Get("/healthcheck").status, 200);
  EXPECT_EQ(Get("/healthcheck").body, "OK");
  EXPECT_EQ(Get("/ready").status, 200);
  EXPECT_EQ(Get("/ready").body, "OK\nstore: WRONGPASS");
  EXPECT_THAT(Get("/metrics").body, HasSubstr("ratelimitd_store_ready 0"));
}

TEST_F(AdminServerTest, MetricsAreInTheTextFormat) {
  metrics_->GetCounter({.name = "x_total", .help = "X"}).Add(3);
  const auto response = Get("/metrics");
  EXPECT_THAT(response.header("content-type"),
              HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("x_total 3"));
}

TEST_F(AdminServerTest, WithoutASinkThereAreNoStatistics) {
  EXPECT_EQ(server_->prometheus_address(), "");
  EXPECT_THAT(GetDebug("/stats").body, HasSubstr("The statistics are off"));
  EXPECT_THAT(GetDebug("/").body, HasSubstr("/stats"));
}

class PrometheusPortTest : public AdminServerTest {
 protected:
  PrometheusPortTest() {
    server_.reset();
    metrics_ = NewMetrics(NewStatistics({}));
    auto server = New("127.0.0.1:0", PrometheusOptions{.address = "127.0.0.1:0",
                                                       .path = "/numbers"});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  HttpTestAnswer GetPrometheus(const std::string& path) {
    return HttpTestClient(server_->prometheus_address()).Get(path);
  }
};

TEST_F(PrometheusPortTest, HasStatisticsProcessAndMetrics) {
  metrics_->statistics()->CountUnknownDomain("d");
  metrics_->GetCounter({.name = "x_total", .help = "X"}).Add(3);
  const auto response = GetPrometheus("/numbers");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.header("content-type"),
              HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("domain_not_found{domain=\"d\"} 1\n"));
  EXPECT_THAT(response.body, HasSubstr("\nprocess_open_fds "));
  EXPECT_THAT(response.body, HasSubstr("\nx_total 3\n"));
  EXPECT_THAT(GetDebug("/stats").body,
              HasSubstr("rate_limit.d.domain_not_found: 1\n"));
}

// Also without a scrape of /metrics or a probe of /ready.
TEST_F(PrometheusPortTest, ShowsTheStateOfTheStoreNow) {
  EXPECT_THAT(GetPrometheus("/numbers").body,
              HasSubstr("\nratelimitd_store_ready 1\n"));
  store_state_ = "no answer from Redis";
  EXPECT_THAT(GetPrometheus("/numbers").body,
              HasSubstr("\nratelimitd_store_ready 0\n"));
}

TEST_F(PrometheusPortTest, HasNoOtherPageAndNoOtherMethod) {
  for (const char* path : {"/", "/metrics", "/healthcheck"}) {
    EXPECT_EQ(GetPrometheus(path).status, 404) << path;
  }
  EXPECT_EQ(
      HttpTestClient(server_->prometheus_address()).Post("/numbers", "").status,
      405);
}

TEST_F(AdminServerTest, JsonAnswersWithTheVerdictAsStatus) {
  EXPECT_EQ(PostJson(kRequest).status, 200);
  limiter_.SetAnswer([](const Query&, auto done) {
    Verdict verdict;
    verdict.over_limit = true;
    verdict.statuses.push_back({.over_limit = true});
    done(&verdict);
  });
  const auto refused = PostJson(kRequest);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("content-type"), "application/json");
  EXPECT_THAT(refused.body, HasSubstr("\"overallCode\":\"OVER_LIMIT\""));
}

TEST_F(AdminServerTest, JsonDistinguishesBadBodiesFromABrokenStore) {
  EXPECT_EQ(PostJson("{").status, 400);
  EXPECT_EQ(PostJson("{}").status, 400);
  EXPECT_EQ(PostJson("{}").body, "domain: must not be empty");
  limiter_.SetAnswer([](const Query&, auto done) {
    done(absl::UnavailableError("store is away"));
  });
  EXPECT_EQ(PostJson(kRequest).status, 503);
  EXPECT_EQ(PostJson(kRequest).body, "store is away");
}

// `curl -d` declares each body to be a form.
TEST_F(AdminServerTest, JsonIsReadWithAnyContentType) {
  const std::string request = absl::StrCat(
      R"({"domain": "d", "descriptors": [{"entries": [{"key": "k", "value": ")",
      std::string(60'000, 'x'), R"("}]}]})");
  HttpTestClient client(server_->http_address());
  for (const char* type :
       {"application/x-www-form-urlencoded", "text/plain", "application/json",
        "multipart/form-data; boundary=x"}) {
    EXPECT_EQ(client.Post("/json", request, type).status, 200) << type;
  }
}

TEST_F(AdminServerTest, ABodyOverTheLimitIsRefusedUnread) {
  const auto response = PostJson(std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(limiter_.checks(), 0);
}

TEST_F(AdminServerTest, OtherPathsAreNotFound) {
  for (const char* path : {"/json/", "/nothing", "/", "/../etc/passwd"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

TEST_F(AdminServerTest, OtherMethodsAreNamed) {
  HttpTestClient http(server_->http_address());
  const HttpTestAnswer json = http.Get("/json");
  EXPECT_EQ(json.status, 405);
  EXPECT_EQ(json.header("allow"), "POST");
  for (const char* path : {"/live", "/ready", "/healthcheck", "/metrics"}) {
    const HttpTestAnswer answer = http.Post(path, "");
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_EQ(answer.header("allow"), "GET, HEAD") << path;
    EXPECT_EQ(http.Ask("HEAD", path).status, 200) << path;
  }
  HttpTestClient debug(server_->debug_address());
  EXPECT_EQ(debug.Get("/tiers/u/refresh").status, 405);
  EXPECT_EQ(debug.Post("/rlconfig", "").status, 405);
  EXPECT_EQ(debug.Get("/tiers/refresh").status, 404);
}

// JSON of many small parts takes the longest to read.
TEST_F(AdminServerTest, LargeJsonIsAnsweredToo) {
  std::string descriptors;
  for (int i = 0; i < 1024; ++i) {
    absl::StrAppend(&descriptors, i == 0 ? "" : ",",
                    R"({"entries": [{"key": "k"}]})");
  }
  const auto request = [](const std::string& list) {
    return absl::StrCat(R"({"domain": "d", "descriptors": [)", list, "]}");
  };
  const HttpTestAnswer answer = PostJson(request(descriptors));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("\"overallCode\":\"OK\""));
  const HttpTestAnswer refused = PostJson(request(descriptors + ",{}"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, "descriptors: more than 1024");
}

TEST_F(AdminServerTest, FewLargeJsonRequestsWaitAtTheSameTime) {
  Mutex mutex;
  std::vector<Limiter::CheckCallback> held;
  limiter_.SetAnswer([&](const Query&, auto done) {
    const MutexLock lock(&mutex);
    held.push_back(std::move(done));
  });
  const std::string large = kRequest + std::string(8000, ' ');
  std::vector<HttpTestClient> clients;
  for (int i = 0; i < JsonPage::kMaxLarge; ++i) {
    clients.emplace_back(server_->http_address());
    EXPECT_TRUE(clients.back().Send(absl::StrCat(
        "POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: ", large.size(),
        "\r\n\r\n", large)));
  }
  limiter_.AwaitAnswered(JsonPage::kMaxLarge);
  EXPECT_EQ(PostJson(large).status, 503);
  for (auto& done : held) done(absl::UnavailableError("away"));
  for (HttpTestClient& client : clients) {
    EXPECT_EQ(client.ReadAnswer().status, 503);
  }
}

TEST_F(AdminServerTest, RlconfigShowsOneLineForEachRule) {
  DomainSpec spec{.name = "d", .nodes = {{.key = "k", .rule = Rule{}}}};
  spec.nodes[0].rule->path = "k";
  spec.nodes[0].rule->policy = {.limit = 5, .burst = 2};
  auto book = std::make_shared<RuleBook>();
  book->domains.emplace("d", *CompileDomain(spec, *metrics_));
  rules_.Set(std::move(book));
  EXPECT_EQ(GetDebug("/rlconfig").body,
            "d.k: limit=5 window=1m, algorithm=fixed_window, burst=2 "
            "(earned), shadow_mode: false, quota_mode: false\n");
  EXPECT_THAT(GetDebug("/").body, HasSubstr("/rlconfig"));
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
      GetDebug("/rlconfig").body,
      HasSubstr("d.tier pro requests/1m: limit=5 window=1m, "
                "algorithm=fixed_window, lease: 5% for 1s, shadow_mode: false, "
                "quota_mode: false\nd.tier pro tokens/1m: limit=900 window=1m, "
                "algorithm=fixed_window, counts: tokens, reserve: estimated, "
                "shadow_mode: false, quota_mode: false\n"));
}

TEST_F(AdminServerTest, RefreshLooksTheUserUpAgain) {
  const auto refresh = [this](const std::string& path) {
    // As curl does it: no body and no Content-Length.
    return HttpTestClient(server_->debug_address()).Ask("POST", path);
  };
  EXPECT_EQ(refresh("/tiers/u/refresh").status, 404);
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
  EXPECT_EQ(refresh("/tiers/u/refresh").body, "a: tier pro\nb: tier pro\n");
  EXPECT_EQ(refresh("/tiers/a%20b%2Fc/refresh?domain=b").body, "b: no tier\n");
  EXPECT_EQ(refresh("/tiers/odd/refresh?domain=a").body,
            "a: tier gold, not in user_tiers\n");
  EXPECT_EQ(refresh("/tiers/u/refresh?domain=c").status, 404);
  const auto failed = refresh("/tiers/stranger/refresh?domain=a");
  EXPECT_EQ(failed.status, 502);
  EXPECT_EQ(failed.body, "a: no reply\n");
}

TEST_F(AdminServerTest, ATakenAddressIsAnErrorThatNamesIt) {
  const auto second = New(server_->http_address());
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(server_->http_address()));
}

}  // namespace
}  // namespace rls
