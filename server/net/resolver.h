#ifndef RLS_NET_RESOLVER_H_
#define RLS_NET_RESOLVER_H_

#include <sys/socket.h>

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/endpoint.h"
#include "net/event_loop.h"

namespace rls {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

// Finds the addresses of hosts with the system's resolver (getaddrinfo(): DNS
// and /etc/hosts), on a thread of its own, because a lookup can take seconds.
// It caches nothing: each connection attempt looks the name up again, and so
// follows a name whose addresses change.
//
// Threads: Resolve() may be called by many threads at once.
// Lifetime: the loops passed to Resolve() must outlive the resolver.
class Resolver {
 public:
  using Addresses = absl::StatusOr<std::vector<SocketAddress>>;

  virtual ~Resolver() = default;  // pending `done` callbacks never run

  // `done` runs on `loop`, never within Resolve(). A literal address or a Unix
  // path needs no lookup, and fails only if the path is too long for a socket.
  // Failure: UNAVAILABLE that names the host and the reason.
  virtual void Resolve(const Endpoint& endpoint, EventLoop& loop,
                       absl::AnyInvocable<void(Addresses)> done) = 0;
};

std::unique_ptr<Resolver> NewResolver();

}  // namespace rls

#endif  // RLS_NET_RESOLVER_H_
