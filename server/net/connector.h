#ifndef RLS_NET_CONNECTOR_H_
#define RLS_NET_CONNECTOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "net/endpoint.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/socket.h"

namespace rls {

// Connects to the first address of an endpoint that accepts. The next address
// is tried when an attempt fails, and also when it has no result after 250 ms:
// then the attempts race, so that a dead address does not use up the time that
// the owner allows.
//
// Threads: the loop's thread only.
// Lifetime: destroying the connector stops it; `done` does not run afterwards.
// Source: RFC 8305 section 5, without its sorting, which the system's resolver
// does.
class Connector {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<FileDescriptor>)>;

  // `done` runs once, never within the constructor, and may destroy the
  // connector.
  // Failure: UNAVAILABLE that names the endpoint and the reason.
  Connector(EventLoop& loop, Resolver& resolver, const Endpoint& endpoint,
            Done done);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

 private:
  struct Attempt {
    FileDescriptor socket;
    const SocketAddress* address = nullptr;
    std::unique_ptr<EventLoop::Watch> watch;  // destroyed before its socket
  };

  void OnResolved(Resolver::Addresses addresses);
  void TryNext();
  bool Begin(const SocketAddress& address);
  void OnAnswer(int socket);
  void NoteFailure(const SocketAddress& address, int error);
  void Finish(absl::StatusOr<FileDescriptor> result);

  EventLoop& loop_;
  const Endpoint endpoint_;
  Done done_;
  const std::shared_ptr<Connector*> self_;  // null after destruction
  std::vector<SocketAddress> addresses_;
  size_t next_ = 0;  // the first address without an attempt
  std::vector<Attempt> attempts_;
  std::unique_ptr<EventLoop::Timer> next_attempt_;
  std::string last_failure_;
};

}  // namespace rls

#endif  // RLS_NET_CONNECTOR_H_
