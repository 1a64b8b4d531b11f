
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "unit/net_peer.h"
#include "unit/tier_source_fixture.h"

namespace rls {
namespace {

TEST_F(TierSourceTest, ASlowSourceIsWaitedForNoLongerThanTheTimeout) {
  spec_.timeout = absl::Milliseconds(50);
  Open();
  server_.Hold();
  EXPECT_EQ(Ask("u"), std::nullopt);
  WaitUntil("the time-out", [this] { return Lookups("timeout") == 1; });
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(Lookups("timeout"), 1);
  // None when it was over before it had got through.
  EXPECT_LE(server_.count(), 1U);
}

TEST_F(TierSourceTest, WhatHasWaitedTooLongForItsTurnIsDropped) {
  spec_.timeout = absl::Milliseconds(50);
  spec_.max_concurrent = 1;
  Open();
  server_.Hold();
  std::future<Tier> called = Start("a");
  std::future<Tier> queued = Start("b");
  EXPECT_EQ(called.get(), std::nullopt);
  EXPECT_EQ(queued.get(), std::nullopt);
  WaitUntil("the first call's end", [this] { return Lookups("timeout") >= 1; });
  server_.Release();
  WaitUntil("a reply", [this] { return Ask("c") == "pro"; });
}

TEST_F(TierSourceTest, TheLastKnownTierIsUsedWhileTheSourceFails) {
  EXPECT_EQ(Ask("u"), "pro");
  server_.SetAnswer(Telling("", 500));
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_EQ(Answers("last_known"), 1);
  // It is not asked again at once.
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Ask("u"), "pro");
  EXPECT_EQ(Lookups("http_status"), 1);
  server_.SetAnswer(Telling("free"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Ask("u"), "free");
}

TEST_F(TierSourceTest, AFailureForAStrangerIsRemembered) {
  server_.SetAnswer(Telling("", 500));
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(server_.count(), 1U);
  clock_.Advance(absl::Seconds(10));
  server_.SetAnswer(Telling("pro"));
  EXPECT_EQ(Ask("u"), "pro");
}

TEST_F(TierSourceTest, EveryStatusBut200And404IsAFailure) {
  for (const int status : {201, 204, 301, 400, 401, 410}) {
    server_.SetAnswer(Telling("", status));
    EXPECT_EQ(Ask(absl::StrCat(status)), std::nullopt) << status;
    // So that it is not paused.
    server_.SetAnswer(Telling("pro"));
    EXPECT_EQ(Ask(absl::StrCat("after ", status)), "pro");
  }
  EXPECT_EQ(Lookups("http_status"), 6);
}

TEST_F(TierSourceTest, ARedirectIsNotFollowed) {
  TierServer other(Telling("enterprise"));
  server_.SetAnswer([&](const TierServer::Request&) {
    return TierServer::Reply{
        .status = 302, .body = "", .headers = {{"Location", other.url()}}};
  });
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(other.count(), 0U);
}

TEST_F(TierSourceTest, AReplyIsReadUpTo64KiB) {
  const std::string tier = R"({"tier": "pro"})";
  const std::string full = tier + std::string((64 << 10) - tier.size(), ' ');
  server_.SetAnswer(Telling(full));
  EXPECT_EQ(Ask("full"), "pro");
  server_.SetAnswer(Telling(full + " "));
  EXPECT_EQ(Ask("more"), std::nullopt);
  EXPECT_EQ(Lookups("too_large"), 1);
}

TEST_F(TierSourceTest, AHeadIsReadUpTo64KiB) {
  server_.SetAnswer([](const TierServer::Request&) {
    TierServer::Reply reply{.body = "pro"};
    for (int i = 0; i < 20; ++i) {
      reply.headers[absl::StrCat("X-", i)] = std::string(4000, 'x');
    }
    return reply;
  });
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(Lookups("too_large"), 1);
}

TEST_F(TierSourceTest, AMalformedReplyIsAFailureThatIsCounted) {
  for (const char* body : {"", "{", "{}", R"({"tier": 1})", "<a>\n</a>"}) {
    server_.SetAnswer(Telling(body));
    EXPECT_EQ(Ask(absl::StrCat("u", Lookups("malformed"))), std::nullopt)
        << body;
  }
  EXPECT_EQ(Lookups("malformed"), 5);
}

TEST_F(TierSourceTest, APortThatRefusesIsAFailure) {
  Listener closed;
  spec_.url =
      absl::StrCat("http://127.0.0.1:", closed.endpoint().port, "/{user_id}");
  Open();
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

TEST_F(TierSourceTest, AHostThatDoesNotAnswerIsATimeOut) {
  const SilentListener silent;
  spec_.url =
      absl::StrCat("http://127.0.0.1:", silent.endpoint().port, "/{user_id}");
  spec_.timeout = absl::Milliseconds(50);
  Open();
  EXPECT_EQ(Ask("u"), std::nullopt);
  WaitUntil("the time-out", [this] { return Lookups("timeout") == 1; });
  // The loop goes on.
  spec_.url = server_.url();
  spec_.timeout = absl::Seconds(60);
  Open();
  EXPECT_EQ(Ask("u"), "pro");
}

// What a peer says that does not speak HTTP, or stops in the middle.
TEST_F(TierSourceTest, ABrokenReplyIsAFailure) {
  const std::vector<std::string> replies = {
      "", "220 mail.example.com ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npro"};
  for (const std::string& reply : replies) {
    Listener listener;
    listener.Listen();
    spec_.url = absl::StrCat("http://127.0.0.1:", listener.endpoint().port,
                             "/{user_id}");
    Open();
    std::future<Tier> tier = Start("u");
    {
      Peer peer = listener.Accept();
      WaitUntil("the request", [&] { return !peer.Received().empty(); });
      if (!reply.empty()) peer.Send(reply);
    }
    EXPECT_EQ(tier.get(), std::nullopt) << reply;
  }
  // libcurl takes a head that breaks off for a whole one.
  EXPECT_EQ(Lookups("unreachable") + Lookups("malformed"),
            static_cast<double>(replies.size()));
}

TEST_F(TierSourceTest, ASourceThatAlwaysFailsIsTriedOnceInAWhile) {
  server_.SetAnswer(Telling("", 503));
  size_t asked = 0;
  WaitUntil("a pause", [&] {
    EXPECT_EQ(Ask(absl::StrCat("u", asked++)), std::nullopt);
    return Lookups("paused") > 0;
  });
  EXPECT_GT(asked, 5U);
  EXPECT_EQ(server_.count(), asked - 1);
  server_.SetAnswer(Telling("pro"));
  WaitUntil("the trial", [this] { return Ask("later") == "pro"; });
  EXPECT_EQ(server_.count(), asked);
  EXPECT_EQ(Ask("all is well"), "pro");
}

TEST_F(TierSourceTest, RefreshAsksEvenASourceThatAlwaysFails) {
  server_.SetAnswer(Telling("", 503));
  for (int i = 0; i < 5; ++i) Ask(absl::StrCat("u", i));
  server_.SetAnswer(Telling("pro"));
  EXPECT_EQ(*StartRefresh("u").get(), "pro");
  EXPECT_EQ(Ask("u0"), std::nullopt);  // its failure is remembered
  EXPECT_EQ(Ask("new"), "pro");
}

TEST_F(TierSourceTest, TheHeaderGoesAlongAndAFileIsReadEachTime) {
  spec_.header_name = "Authorization";
  spec_.header_value = "Bearer s3cret";
  Open();
  Ask("a");
  EXPECT_EQ(server_.requests().back().authorization, "Bearer s3cret");
  spec_.header_file = testing::TempDir() + "/tier_source_header";
  Open();
  for (const char* value : {"Bearer one", "Bearer two"}) {
    std::ofstream(spec_.header_file) << value << "\n";
    Ask(value);
    EXPECT_EQ(server_.requests().back().authorization, value);
  }
}

TEST_F(TierSourceTest, WithoutItsHeaderNoCallIsMade) {
  spec_.header_name = "Authorization";
  spec_.header_file = testing::TempDir() + "/tier_source_bad_header";
  Open();
  EXPECT_EQ(Ask("a"), std::nullopt);
  for (const char* value : {"", "Bearer x\r\nX-Evil: 1"}) {
    std::ofstream(spec_.header_file) << value;
    EXPECT_EQ(Ask(absl::StrCat("u", std::string(value).size())), std::nullopt);
  }
  EXPECT_EQ(server_.count(), 0U);
  EXPECT_EQ(Lookups("unreachable"), 3);
}

TEST_F(TierSourceTest, OnlyHttpIsSpoken) {
  const std::string file = testing::TempDir() + "/tier_source_file";
  std::ofstream(file) << "enterprise";
  spec_.url = absl::StrCat("file://", file, "?{user_id}");
  Open();
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

TEST_F(TierSourceTest, NoProxyOfTheEnvironmentIsUsed) {
  Listener closed;
  const std::string proxy =
      absl::StrCat("http://127.0.0.1:", closed.endpoint().port);
  setenv("http_proxy", proxy.c_str(), 1);
  setenv("ALL_PROXY", proxy.c_str(), 1);
  EXPECT_EQ(Ask("u"), "pro");
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST_F(TierSourceTest, ManyThreadsMayAskAtOnce) {
  spec_.stale = spec_.ttl;  // always aging, so that each request asks anew
  Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(Ask(absl::StrCat("u", (i * t) % 7)), "pro");
        if (i % 50 == 0) StartRefresh("u0").wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rls
