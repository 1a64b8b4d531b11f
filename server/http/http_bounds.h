#ifndef RLS_HTTP_HTTP_BOUNDS_H_
#define RLS_HTTP_HTTP_BOUNDS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace rls {

// The bounds of an HTTP port. Each loop of a port enforces its share of the
// bounds of the port.

// Of one request. The head is the request line and all headers.
inline constexpr size_t kMaxHttpHeadBytes = 64 << 10;
inline constexpr size_t kMaxHttpHeaders = 256;
inline constexpr size_t kMaxHttpBodyBytes = 1 << 20;
// The body with its framing. Chunks of a few bytes need several times the
// bytes of the body.
inline constexpr size_t kMaxHttpBodyWireBytes = 8 << 20;
// The line before a chunk with its extensions, or all trailers.
inline constexpr size_t kMaxHttpChunkLineBytes = 4 << 10;

// From the first byte of a head to its last, and from the end of the head to
// the end of the body. More bytes do not extend the time.
inline constexpr absl::Duration kHttpHeadTime = absl::Seconds(10);
inline constexpr absl::Duration kHttpBodyTime = absl::Seconds(30);
// Longer than gateways keep unused connections, so that the gateway closes the
// connection first and never sends a request into a closing one.
inline constexpr absl::Duration kHttpIdleTime = absl::Minutes(3);
// From the moment that an answer does not fit into the socket until the client
// has read all answers.
inline constexpr absl::Duration kHttpAnswerTime = absl::Seconds(30);
// After the last answer: the time for the client to read it and to close, and
// the bytes that it may still send.
inline constexpr absl::Duration kHttpLingerTime = absl::Seconds(1);
inline constexpr size_t kMaxHttpLingerBytes = 1 << 20;

// Of one connection. The buffer of the system for answers, which could
// otherwise grow to some megabytes; Linux doubles the number.
inline constexpr int kHttpSendBufferBytes = 128 << 10;
// Read ahead while an earlier request is decided.
inline constexpr size_t kMaxHttpAheadBytes = 64 << 10;
// Answers that are not sent. Beyond this the next request waits.
inline constexpr size_t kMaxHttpUnsentBytes = 64 << 10;
// The requests of one connection in one turn of the loop. Other connections
// come before the next ones.
inline constexpr int kMaxHttpRequestsPerTurn = 32;

// Of one loop: the steps of TLS handshakes in one turn. Each takes about a
// millisecond.
inline constexpr size_t kMaxHttpHandshakesPerTurn = 2;

// Of one port: the bytes that all its connections hold, requests and answers.
// Beyond this the connection that holds the most is closed. A loop has at least
// the second number.
inline constexpr size_t kMaxHttpHeldBytes = 64 << 20;
inline constexpr size_t kMinHttpHeldBytesOfLoop = 4 << 20;
// A connection that holds fewer bytes than this is not counted.
inline constexpr size_t kFreeHttpHeldBytes = 4 << 10;

// Of one port.
inline constexpr size_t kMaxHttpConnections = 4096;
inline constexpr size_t kMaxHttpConnectionsOfPeer = 2048;
// Connections that no undecided request may use. They remain for health and
// metrics.
inline constexpr size_t kReservedHttpConnections = 64;

}  // namespace rls

#endif  // RLS_HTTP_HTTP_BOUNDS_H_
