#ifndef RLS_HTTP_HTTP_REFUSALS_H_
#define RLS_HTTP_HTTP_REFUSALS_H_

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "metrics/metrics.h"
#include "net/admission.h"

namespace rls {

// The reasons for which a port refuses a request or closes a connection.
enum class HttpReason {
  kFraming,         // not HTTP/1.1, or ambiguous
  kHeadTooLarge,    // 431
  kBodyTooLarge,    // 413
  kHeadTooSlow,     // 408, kHttpHeadTime
  kBodyTooSlow,     // 408, kHttpBodyTime
  kAnswerNotRead,   // kHttpAnswerTime
  kTooManyWaiting,  // 503, kReservedHttpConnections
  kMemory,          // kMaxHttpHeldBytes
  kPortFull,        // the connection made room for another, or found none
  kPeerFull,        // the same, for connections of one peer
};
inline constexpr size_t kHttpReasons = 10;

// Counts the refusals of a port, and logs each reason at most once in 10 s.
//
// Threads: Note() may be called by many threads at once.
// Lifetime: the arguments of the constructor must outlive it.
class HttpRefusals {
 public:
  // `port` is "http" or "debug".
  HttpRefusals(absl::string_view port, Metrics& metrics, const Clock& clock);

  // `detail` may be empty.
  void Note(HttpReason reason, const PeerAddress& peer,
            absl::string_view detail = {});

 private:
  const std::string port_;
  std::array<Counter*, kHttpReasons> counters_;
  std::array<std::unique_ptr<LogThrottle>, kHttpReasons> logs_;
};

}  // namespace rls

#endif  // RLS_HTTP_HTTP_REFUSALS_H_
