#include "net/admission.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

constexpr absl::Duration kLogInterval = absl::Minutes(1);
constexpr size_t kNetworkBytes = 8;  // of a /64

Counter& Refused(Metrics& metrics, absl::string_view port,
                 absl::string_view reason) {
  return metrics.GetCounter(
      {.name = "ratelimitd_connections_refused_total",
       .help = "Connections closed at once, by the bound they exceed: the "
               "connections of the port in total, or of one peer.",
       .labels = {{"port", std::string(port)},
                  {"reason", std::string(reason)}}});
}

}  // namespace

PeerAddress PeerAddress::Of(const sockaddr_storage& address) {
  PeerAddress peer;
  if (address.ss_family == AF_INET) {
    peer.family_ = AF_INET;
    peer.low_ = reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr;
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& ip =
        reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    // A socket for both families reports IPv4 addresses in this form.
    if (IN6_IS_ADDR_V4MAPPED(&ip)) {
      peer.family_ = AF_INET;
      peer.low_ = ip.s6_addr32[3];
    } else {
      peer.family_ = AF_INET6;
      std::memcpy(&peer.high_, &ip, kNetworkBytes);
    }
  }
  return peer;
}

std::string PeerAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family_ == AF_INET) {
    const in_addr ip = {.s_addr = static_cast<in_addr_t>(low_)};
    return inet_ntop(AF_INET, &ip, text, sizeof(text));
  }
  if (family_ != AF_INET6) return "a Unix socket";
  in6_addr network = {};
  std::memcpy(&network, &high_, kNetworkBytes);
  return absl::StrCat(inet_ntop(AF_INET6, &network, text, sizeof(text)), "/64");
}

Admission::Admission(absl::string_view port, Limits limits, const Clock& clock,
                     Metrics& metrics)
    : port_(port),
      limits_(limits),
      refused_total_(Refused(metrics, port, "total")),
      refused_peer_(Refused(metrics, port, "peer")),
      accept_failures_(
          metrics.GetCounter({.name = "ratelimitd_accept_failures_total",
                              .help = "Failures of accept(). The port goes on.",
                              .labels = {{"port", port_}}})),
      log_total_(clock, kLogInterval),
      log_peer_(clock, kLogInterval),
      log_accept_(clock, kLogInterval) {}

std::optional<Admission::Ticket> Admission::Admit(const PeerAddress& peer) {
  switch (Take(peer)) {
    case Place::kFree:
      return Ticket(*this, peer);
    case Place::kTotalReached:
      refused_total_.Add(1);
      log_total_.Warn(absl::StrCat("refused a connection to the ", port_,
                                   " port: ", limits_.total, " are open"));
      break;
    case Place::kPeerReached:
      refused_peer_.Add(1);
      log_peer_.Warn(absl::StrCat("refused a connection to the ", port_,
                                  " port: ", limits_.per_peer, " of ",
                                  peer.ToString(), " are open"));
      break;
  }
  return std::nullopt;
}

Admission::Place Admission::Take(const PeerAddress& peer) {
  const MutexLock lock(&mutex_);
  if (open_ >= limits_.total) return Place::kTotalReached;
  const auto found = by_peer_.try_emplace(peer, 0).first;
  if (found->second >= limits_.per_peer) {
    if (found->second == 0) by_peer_.erase(found);
    return Place::kPeerReached;
  }
  ++found->second;
  ++open_;
  return Place::kFree;
}

void Admission::Leave(const PeerAddress& peer) {
  const MutexLock lock(&mutex_);
  --open_;
  const auto found = by_peer_.find(peer);
  if (--found->second == 0) by_peer_.erase(found);
}

void Admission::AcceptFailed(int error) {
  accept_failures_.Add(1);
  log_accept_.Warn(absl::StrCat("cannot accept a connection to the ", port_,
                                " port: ", std::strerror(error)));
}

size_t Admission::open() const {
  const MutexLock lock(&mutex_);
  return open_;
}

Admission::Limits WithinDescriptors(Admission::Limits wanted, size_t percent) {
  rlimit descriptors = {};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0 ||
      descriptors.rlim_cur == RLIM_INFINITY) {
    return wanted;
  }
  const size_t most =
      std::max<size_t>(1, descriptors.rlim_cur / 100 * percent +
                              descriptors.rlim_cur % 100 * percent / 100);
  wanted.total = std::min(wanted.total, most);
  wanted.per_peer = std::min(wanted.per_peer, most);
  return wanted;
}

}  // namespace rls
