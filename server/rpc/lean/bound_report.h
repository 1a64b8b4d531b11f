#ifndef RLS_RPC_LEAN_BOUND_REPORT_H_
#define RLS_RPC_LEAN_BOUND_REPORT_H_

#include <array>
#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "metrics/metrics.h"
#include "net/admission.h"

namespace rls {

// The bounds on a client of the lean transport.
enum class Bound {
  kFrames,         // frames that carry no request
  kHeaders,        // bytes of the headers of a call
  kStreams,        // open streams of a connection, or calls of a loop
  kRequestBytes,   // buffered bytes of requests
  kResponseBytes,  // bytes of responses that the client does not read
  kProtocol,       // a bound of the HTTP/2 library: CONTINUATIONs, answers to
                   // PING and SETTINGS
};

// Reports each bound that a client exceeds: a metric, and a log line at most
// once a minute for each bound.
//
// Threads: every method may be called by many threads at once.
// Lifetime: `clock` and `metrics` must outlive it.
class BoundReport {
 public:
  BoundReport(const Clock& clock, Metrics& metrics);
  BoundReport(const BoundReport&) = delete;
  BoundReport& operator=(const BoundReport&) = delete;

  // One call was refused: ratelimitd_http2_refused_calls_total{reason}.
  void CallRefused(Bound bound, const PeerAddress& peer);
  // A connection was ended with ENHANCE_YOUR_CALM:
  // ratelimitd_http2_ended_connections_total{reason}.
  void ConnectionEnded(Bound bound, const PeerAddress& peer);

 private:
  static constexpr size_t kBounds = 6;

  std::array<Counter*, kBounds> refused_;  // the index is the bound's number
  std::array<Counter*, kBounds> ended_;
  std::array<std::unique_ptr<LogThrottle>, kBounds> log_refused_;
  std::array<std::unique_ptr<LogThrottle>, kBounds> log_ended_;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_BOUND_REPORT_H_
