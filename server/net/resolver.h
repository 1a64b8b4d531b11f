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

// Finds the addresses of hosts as the system does (getaddrinfo: /etc/hosts,
// DNS), on a thread of its own, because that can take seconds. Nothing is
// cached: each connection attempt asks again, so that a name that starts to
// point elsewhere is followed.
//
// Threads: Resolve() may be called by many threads at once.
// Lifetime: the loops that it is given outlive it.
class Resolver {
 public:
  using Addresses = absl::StatusOr<std::vector<SocketAddress>>;

  virtual ~Resolver() = default;  // `done` of what is under way never runs

  // `done` runs on `loop`, never within Resolve(). A literal address or a Unix
  // path needs no thread and cannot fail, but for a path that is too long for a
  // socket. UNAVAILABLE that names the host and the reason.
  virtual void Resolve(const Endpoint& endpoint, EventLoop& loop,
                       absl::AnyInvocable<void(Addresses)> done) = 0;
};

std::unique_ptr<Resolver> NewResolver();

}  // namespace rls

#endif  // RLS_NET_RESOLVER_H_
