#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "temp_folder.h"
#include "unit/net/peer.h"
#include "unit/tiers/tier_source_fixture.h"

namespace rls {
namespace {

TEST_F(TierSourceTest, ALookupAtASlowSourceWaitsAtMostForTheTimeout) {
  spec_.timeout = absl::Milliseconds(50);
  Open();
  server_.Hold();
  EXPECT_EQ(Find("u"), std::nullopt);
  WaitUntil("the time-out", [this] { return Lookups("timeout") == 1; });
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(Lookups("timeout"), 1);
  // 0 if the time-out came before the request reached the server.
  EXPECT_LE(server_.count(), 1U);
}

TEST_F(TierSourceTest, ALookupThatWaitsTooLongInTheQueueIsDropped) {
  spec_.timeout = absl::Milliseconds(50);
  spec_.max_concurrent = 1;
  Open();
  server_.Hold();
  std::future<Tier> fetched = Start("a");
  std::future<Tier> queued = Start("b");
  EXPECT_EQ(fetched.get(), std::nullopt);
  EXPECT_EQ(queued.get(), std::nullopt);
  WaitUntil("the end of the first request",
            [this] { return Lookups("timeout") >= 1; });
  server_.Release();
  WaitUntil("a response", [this] {
    // On a busy machine this fetch may time out, too. Its failure is cached.
    clock_.Advance(spec_.negative_ttl);
    return Find("c") == "pro";
  });
}

TEST_F(TierSourceTest, TheLastKnownTierIsUsedWhileTheSourceFails) {
  EXPECT_EQ(Find("u"), "pro");
  server_.SetAnswer(Naming("", 500));
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_EQ(Answers("last_known"), 1);
  // The next request waits for negative_ttl.
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Find("u"), "pro");
  EXPECT_EQ(Lookups("http_status"), 1);
  server_.SetAnswer(Naming("free"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Find("u"), "free");
}

TEST_F(TierSourceTest, AFailureForAnUnknownUserIsCached) {
  server_.SetAnswer(Naming("", 500));
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(server_.count(), 1U);
  clock_.Advance(absl::Seconds(10));
  server_.SetAnswer(Naming("pro"));
  EXPECT_EQ(Find("u"), "pro");
}

TEST_F(TierSourceTest, EveryStatusExcept200And404IsAFailure) {
  for (const int status : {201, 204, 301, 400, 401, 410}) {
    server_.SetAnswer(Naming("", status));
    EXPECT_EQ(Find(absl::StrCat(status)), std::nullopt) << status;
    // A success in between prevents the pause.
    server_.SetAnswer(Naming("pro"));
    EXPECT_EQ(Find(absl::StrCat("after ", status)), "pro");
  }
  EXPECT_EQ(Lookups("http_status"), 6);
}

TEST_F(TierSourceTest, ARedirectIsNotFollowed) {
  TierServer other(Naming("enterprise"));
  server_.SetAnswer([&](const TierServer::Request&) {
    return TierServer::Response{
        .status = 302, .body = "", .headers = {{"Location", other.url()}}};
  });
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(other.count(), 0U);
}

TEST_F(TierSourceTest, ABodyIsReadUpTo64KiB) {
  const std::string tier = R"({"tier": "pro"})";
  const std::string full = tier + std::string((64 << 10) - tier.size(), ' ');
  server_.SetAnswer(Naming(full));
  EXPECT_EQ(Find("full"), "pro");
  server_.SetAnswer(Naming(full + " "));
  EXPECT_EQ(Find("more"), std::nullopt);
  EXPECT_EQ(Lookups("too_large"), 1);
}

TEST_F(TierSourceTest, AHeadIsReadUpTo64KiB) {
  server_.SetAnswer([](const TierServer::Request&) {
    TierServer::Response response{.body = "pro"};
    for (int i = 0; i < 20; ++i) {
      response.headers[absl::StrCat("X-", i)] = std::string(4000, 'x');
    }
    return response;
  });
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(Lookups("too_large"), 1);
}

TEST_F(TierSourceTest, AMalformedBodyIsAFailureThatIsCounted) {
  for (const char* body : {"", "{", "{}", R"({"tier": 1})", "<a>\n</a>"}) {
    server_.SetAnswer(Naming(body));
    EXPECT_EQ(Find(absl::StrCat("u", Lookups("malformed"))), std::nullopt)
        << body;
  }
  EXPECT_EQ(Lookups("malformed"), 5);
}

TEST_F(TierSourceTest, APortThatRefusesIsAFailure) {
  Listener closed;
  spec_.url =
      absl::StrCat("http://127.0.0.1:", closed.endpoint().port, "/{user_id}");
  Open();
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

TEST_F(TierSourceTest, AHostThatDoesNotRespondIsATimeOut) {
  const SilentListener silent;
  spec_.url =
      absl::StrCat("http://127.0.0.1:", silent.endpoint().port, "/{user_id}");
  spec_.timeout = absl::Milliseconds(50);
  Open();
  EXPECT_EQ(Find("u"), std::nullopt);
  WaitUntil("the time-out", [this] { return Lookups("timeout") == 1; });
  // The event loop still works.
  spec_.url = server_.url();
  spec_.timeout = absl::Seconds(60);
  Open();
  EXPECT_EQ(Find("u"), "pro");
}

// A server that does not speak HTTP, or stops in the middle.
TEST_F(TierSourceTest, ABrokenResponseIsAFailure) {
  const std::vector<std::string> responses = {
      "", "220 mail.example.com ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npro"};
  for (const std::string& response : responses) {
    Listener listener;
    listener.Listen();
    spec_.url = absl::StrCat("http://127.0.0.1:", listener.endpoint().port,
                             "/{user_id}");
    Open();
    std::future<Tier> tier = Start("u");
    {
      Peer peer = listener.Accept();
      WaitUntil("the request", [&] { return !peer.Received().empty(); });
      if (!response.empty()) peer.Send(response);
    }
    EXPECT_EQ(tier.get(), std::nullopt) << response;
  }
  // libcurl accepts an incomplete head as complete.
  EXPECT_EQ(Lookups("unreachable") + Lookups("malformed"),
            static_cast<double>(responses.size()));
}

TEST_F(TierSourceTest, AFailingSourceIsPausedAndTriedOncePerPause) {
  server_.SetAnswer(Naming("", 503));
  size_t looked_up = 0;
  WaitUntil("a pause", [&] {
    EXPECT_EQ(Find(absl::StrCat("u", looked_up++)), std::nullopt);
    return Lookups("paused") > 0;
  });
  EXPECT_GT(looked_up, 5U);
  EXPECT_EQ(server_.count(), looked_up - 1);
  server_.SetAnswer(Naming("pro"));
  EXPECT_EQ(Find("early"), std::nullopt);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Find("later"), "pro");
  EXPECT_EQ(server_.count(), looked_up);
  EXPECT_EQ(Find("all is well"), "pro");
}

TEST_F(TierSourceTest, RefreshIgnoresThePauseOfAFailingSource) {
  server_.SetAnswer(Naming("", 503));
  for (int i = 0; i < 5; ++i) Find(absl::StrCat("u", i));
  server_.SetAnswer(Naming("pro"));
  EXPECT_EQ(*StartRefresh("u").get(), "pro");
  EXPECT_EQ(Find("u0"), std::nullopt);  // its failure is cached
  EXPECT_EQ(Find("new"), "pro");
}

TEST_F(TierSourceTest, TheHeaderIsSentAndItsFileIsReadEachTime) {
  spec_.header_name = "Authorization";
  spec_.header_value = "Bearer s3cret";
  Open();
  Find("a");
  EXPECT_EQ(server_.requests().back().authorization, "Bearer s3cret");
  const TempFolder folder;
  spec_.header_file = folder.Write("header", "");
  Open();
  for (const std::string value : {"Bearer one", "Bearer two"}) {
    folder.Write("header", value + "\n");
    Find(value);
    EXPECT_EQ(server_.requests().back().authorization, value);
  }
}

TEST_F(TierSourceTest, WithoutItsHeaderNoRequestIsSent) {
  spec_.header_name = "Authorization";
  const TempFolder folder;
  spec_.header_file = folder.path() / "header";
  Open();
  EXPECT_EQ(Find("a"), std::nullopt);
  for (const std::string value : {"", "Bearer x\r\nX-Evil: 1"}) {
    folder.Write("header", value);
    EXPECT_EQ(Find(absl::StrCat("u", value.size())), std::nullopt);
  }
  EXPECT_EQ(server_.count(), 0U);
  EXPECT_EQ(Lookups("unreachable"), 3);
}

TEST_F(TierSourceTest, OnlyHttpIsSupported) {
  const TempFolder folder;
  const std::string file = folder.Write("tier", "enterprise");
  spec_.url = absl::StrCat("file://", file, "?{user_id}");
  Open();
  EXPECT_EQ(Find("u"), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

TEST_F(TierSourceTest, NoProxyOfTheEnvironmentIsUsed) {
  Listener closed;
  const std::string proxy =
      absl::StrCat("http://127.0.0.1:", closed.endpoint().port);
  setenv("http_proxy", proxy.c_str(), 1);
  setenv("ALL_PROXY", proxy.c_str(), 1);
  EXPECT_EQ(Find("u"), "pro");
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST_F(TierSourceTest, ManyThreadsMayLookupAtOnce) {
  spec_.stale = spec_.ttl;  // always aging, so that each lookup fetches
  Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(Find(absl::StrCat("u", (i * t) % 7)), "pro");
        if (i % 50 == 0) StartRefresh("u0").wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rls
