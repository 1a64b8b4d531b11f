// The bounds on the open connections of a port.

#include "net/admission.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fake_clock.h"
#include "metrics/metrics.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

PeerAddress PeerOf(const std::string& text) {
  sockaddr_storage address = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    address.ss_family = AF_INET6;
  } else {
    address.ss_family = AF_UNIX;
  }
  return PeerAddress::Of(address);
}

TEST(PeerAddressTest, AnIPv4AddressIsOnePeerInEitherForm) {
  EXPECT_EQ(PeerOf("10.0.0.1"), PeerOf("10.0.0.1"));
  EXPECT_EQ(PeerOf("10.0.0.1"), PeerOf("::ffff:10.0.0.1"));
  EXPECT_FALSE(PeerOf("10.0.0.1") == PeerOf("10.0.0.2"));
}

TEST(PeerAddressTest, ANetworkOf64BitsIsOnePeer) {
  EXPECT_EQ(PeerOf("2001:db8::1"), PeerOf("2001:db8::ffff:1:2:3"));
  EXPECT_FALSE(PeerOf("2001:db8::1") == PeerOf("2001:db8:0:1::1"));
}

TEST(PeerAddressTest, TheClientsOfUnixSocketsAreOnePeer) {
  EXPECT_EQ(PeerOf("unix"), PeerOf("unix"));
  EXPECT_EQ(PeerOf("unix"), PeerAddress());
  EXPECT_FALSE(PeerOf("unix") == PeerOf("::1"));
  EXPECT_FALSE(PeerOf("unix") == PeerOf("0.0.0.0"));
  EXPECT_FALSE(PeerOf("::1") == PeerOf("0.0.0.0"));
}

TEST(PeerAddressTest, TheTextNamesThePeer) {
  EXPECT_EQ(PeerOf("::ffff:10.0.0.1").ToString(), "10.0.0.1");
  EXPECT_EQ(PeerOf("2001:db8::1").ToString(), "2001:db8::/64");
  EXPECT_EQ(PeerOf("unix").ToString(), "a Unix socket");
}

class AdmissionTest : public ::testing::Test {
 protected:
  double Refused(const std::string& reason) {
    return Value(
        "ratelimitd_connections_refused_total{port=\"grpc\",reason=\"" +
        reason + "\"} ");
  }
  double Value(const std::string& series) {
    const std::string text = metrics_->Text();
    const size_t at = text.find(series);
    EXPECT_NE(at, text.npos) << text;
    return at == text.npos ? -1 : std::stod(text.substr(at + series.size()));
  }

  FakeClock clock_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  Admission admission_{"grpc", {.total = 5, .per_peer = 3}, clock_, *metrics_};
};

TEST_F(AdmissionTest, APeerHasAtMostItsShare) {
  std::vector<Admission::Ticket> open;
  while (auto ticket = admission_.Admit(PeerOf("10.0.0.1"))) {
    open.push_back(*std::move(ticket));
  }
  EXPECT_EQ(open.size(), 3u);
  EXPECT_EQ(Refused("peer"), 1);
  EXPECT_TRUE(admission_.Admit(PeerOf("10.0.0.2")).has_value());
  EXPECT_EQ(Refused("total"), 0);
  open.pop_back();
  EXPECT_TRUE(admission_.Admit(PeerOf("10.0.0.1")).has_value());
}

TEST_F(AdmissionTest, AllPeersTogetherHaveAtMostTheTotal) {
  std::vector<Admission::Ticket> open;
  for (int peer = 0; peer < 5; ++peer) {
    auto ticket = admission_.Admit(PeerOf("10.0.0." + std::to_string(peer)));
    ASSERT_TRUE(ticket.has_value());
    open.push_back(*std::move(ticket));
  }
  EXPECT_FALSE(admission_.Admit(PeerOf("10.0.0.9")).has_value());
  EXPECT_EQ(Refused("total"), 1);
  EXPECT_EQ(Refused("peer"), 0);
  open.pop_back();
  EXPECT_TRUE(admission_.Admit(PeerOf("10.0.0.9")).has_value());
  open.clear();
  EXPECT_EQ(admission_.open(), 0u);
}

TEST_F(AdmissionTest, AMovedTicketIsOnePlace) {
  std::optional<Admission::Ticket> kept;
  {
    auto first = admission_.Admit(PeerAddress());
    ASSERT_TRUE(first.has_value());
    kept.emplace(*std::move(first));
  }
  EXPECT_EQ(admission_.open(), 1u);
  EXPECT_EQ(kept->peer(), PeerAddress());
  {
    auto other = admission_.Admit(PeerOf("10.0.0.1"));
    ASSERT_TRUE(other.has_value());
    *kept = *std::move(other);
  }
  EXPECT_EQ(admission_.open(), 1u);
  EXPECT_EQ(kept->peer(), PeerOf("10.0.0.1"));
}

TEST_F(AdmissionTest, RefusalsAndFailuresAreLoggedOnceAMinute) {
  const auto admit_most = [this] {
    std::vector<Admission::Ticket> open;
    while (auto ticket = admission_.Admit(PeerOf("10.0.0.1"))) {
      open.push_back(*std::move(ticket));
    }
  };
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 10; ++i) admit_most();
  for (int i = 0; i < 10; ++i) admission_.AcceptFailed(ENFILE);
  const std::string first = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 2) << first;
  EXPECT_THAT(first, HasSubstr("refused a connection to the grpc port: 3 of "
                               "10.0.0.1 are open"));
  EXPECT_THAT(first, HasSubstr("cannot accept a connection to the grpc port"));
  clock_.Advance(absl::Minutes(1));
  ::testing::internal::CaptureStderr();
  admit_most();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("(and 9 more since)"));
  EXPECT_EQ(Refused("peer"), 11);
  EXPECT_EQ(Value("ratelimitd_accept_failures_total{port=\"grpc\"} "), 10);
}

TEST_F(AdmissionTest, TicketsMayEndOnOtherThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      const PeerAddress peer = PeerOf("10.0.0." + std::to_string(i));
      for (int j = 0; j < 1'000; ++j) admission_.Admit(peer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admission_.open(), 0u);
  EXPECT_EQ(Refused("total") + Refused("peer"), 0);
}

TEST(WithinDescriptorsTest, APortHasAtMostItsShareOfTheDescriptors) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit now = before;
  now.rlim_cur = 250;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
  const Admission::Limits many = WithinDescriptors({10'000, 5'000}, 50);
  EXPECT_EQ(many.total, 125u);
  EXPECT_EQ(many.per_peer, 125u);
  const Admission::Limits few = WithinDescriptors({100, 7}, 50);
  EXPECT_EQ(few.total, 100u);
  EXPECT_EQ(few.per_peer, 7u);
  setrlimit(RLIMIT_NOFILE, &before);
  // The rest is for everything that is not a client of a port.
  EXPECT_LE(
      kGrpcDescriptorPercent + kHttpDescriptorPercent + kDebugDescriptorPercent,
      90u);
}

}  // namespace
}  // namespace rls
