#ifndef RLS_NET_ENDPOINT_H_
#define RLS_NET_ENDPOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// The remote address of a stream socket: a host (name or address) and a port,
// or the path of a Unix socket.
struct Endpoint {
  std::string host;  // without brackets; "": a Unix socket
  uint16_t port = 0;
  std::string unix_path;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const Endpoint& endpoint) {
    return H::combine(std::move(hash), endpoint.host, endpoint.port,
                      endpoint.unix_path);
  }

  // "host:port", "[::1]:port" or the path: for logs and errors.
  std::string ToString() const;
};

// Reads "host:port", "[v6]:port", "host" (with `default_port`), or a path that
// begins with "/".
//
// Failure: INVALID_ARGUMENT with the text found and the forms expected.
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text,
                                       uint16_t default_port);

}  // namespace rls

#endif  // RLS_NET_ENDPOINT_H_
