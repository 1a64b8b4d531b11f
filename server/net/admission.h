#ifndef RLS_NET_ADMISSION_H_
#define RLS_NET_ADMISSION_H_

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "metrics/metrics.h"

namespace rls {

// The client of an accepted connection, as the bounds on connections see it: an
// IPv4 address; the /64 network of an IPv6 address, because one host usually
// has a whole /64; or all clients of a Unix socket.
class PeerAddress {
 public:
  PeerAddress() = default;  // a client of a Unix socket
  static PeerAddress Of(const sockaddr_storage& address);

  // For logs: "10.0.0.1", "2001:db8::/64" or "a Unix socket".
  std::string ToString() const;

  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const PeerAddress& peer) {
    return H::combine(std::move(hash), peer.family_, peer.high_, peer.low_);
  }

 private:
  int family_ = AF_UNIX;
  uint64_t high_ = 0;  // IPv6: the network
  uint64_t low_ = 0;   // IPv4: the address
};

// Bounds the open connections of one port, in total and for each peer.
//
// A refusal is counted in ratelimitd_connections_refused_total{port,reason}
// with the reason "total" or "peer", a failure of accept() in
// ratelimitd_accept_failures_total{port}. Each reason is logged at most once a
// minute.
//
// Threads: every method may be called by many threads at once. A ticket may be
// destroyed on any thread.
// Lifetime: outlives its tickets. `clock` and `metrics` must outlive it.
class Admission {
 public:
  struct Limits {
    size_t total = 0;
    size_t per_peer = 0;
  };

  // The place of one open connection. The destructor gives it back.
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          peer_(other.peer_) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(peer_, other.peer_);
      return *this;
    }
    ~Ticket() {
      if (admission_ != nullptr) admission_->Leave(peer_);
    }

    const PeerAddress& peer() const { return peer_; }

   private:
    friend class Admission;
    Ticket(Admission& admission, const PeerAddress& peer)
        : admission_(&admission), peer_(peer) {}

    Admission* admission_;  // null: moved from
    PeerAddress peer_;
  };

  // `port` names the port in metrics and logs: "grpc", "http", "debug".
  Admission(absl::string_view port, Limits limits, const Clock& clock,
            Metrics& metrics);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // nullopt: the port has its maximum of connections, in total or of this peer.
  // Close the connection.
  std::optional<Ticket> Admit(const PeerAddress& peer);

  // Counts and logs a failure of accept(). `error` is its errno.
  void AcceptFailed(int error);

  const Limits& limits() const { return limits_; }
  size_t open() const;  // the number of tickets

 private:
  enum class Place { kFree, kTotalReached, kPeerReached };

  Place Take(const PeerAddress& peer);
  void Leave(const PeerAddress& peer);

  const std::string port_;
  const Limits limits_;
  Counter& refused_total_;
  Counter& refused_peer_;
  Counter& accept_failures_;
  LogThrottle log_total_;
  LogThrottle log_peer_;
  LogThrottle log_accept_;

  mutable Mutex mutex_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<PeerAddress, size_t> by_peer_ ABSL_GUARDED_BY(mutex_);
};

// The shares of the ports in the descriptors of the process, in percent. The
// rest is a reserve for everything that is not a client: connections to Redis,
// files, the loops. The health of a process is therefore still served when the
// gRPC port has all the connections that it may have.
inline constexpr size_t kGrpcDescriptorPercent = 65;
inline constexpr size_t kHttpDescriptorPercent = 20;
inline constexpr size_t kDebugDescriptorPercent = 5;

// `wanted`, but in total at most `percent` of the descriptors that the process
// may have open (RLIMIT_NOFILE). At least one connection.
Admission::Limits WithinDescriptors(Admission::Limits wanted, size_t percent);

}  // namespace rls

#endif  // RLS_NET_ADMISSION_H_
