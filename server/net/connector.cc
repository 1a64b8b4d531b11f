#include "net/connector.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

// "Connection Attempt Delay" of RFC 8305.
constexpr auto kAttemptDelay = std::chrono::milliseconds(250);

std::string Describe(const SocketAddress& address) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (address.storage.ss_family == AF_UNIX ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage),
                  address.length, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "";
  }
  return absl::StrCat(host, " port ", port, ": ");
}

// If no server listens on a port of the loopback interface, the system may
// choose this port as the local port of the socket that connects to it. The
// socket is then connected to itself.
bool IsConnectedToItself(int socket) {
  sockaddr_storage here = {};
  sockaddr_storage there = {};
  socklen_t here_size = sizeof(here);
  socklen_t there_size = sizeof(there);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&here), &here_size) !=
          0 ||
      getpeername(socket, reinterpret_cast<sockaddr*>(&there), &there_size) !=
          0) {
    return false;
  }
  return here.ss_family != AF_UNIX && here_size == there_size &&
         std::memcmp(&here, &there, here_size) == 0;
}

// The result of connecting; 0: connected.
int ErrorOf(int socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    return errno;
  }
  return error == 0 && IsConnectedToItself(socket) ? ECONNREFUSED : error;
}

}  // namespace

Connector::Connector(EventLoop& loop, Resolver& resolver,
                     const Endpoint& endpoint, Done done)
    : loop_(loop),
      endpoint_(endpoint),
      done_(std::move(done)),
      self_(std::make_shared<Connector*>(this)),
      next_attempt_(loop.NewTimer([this] { TryNext(); })) {
  resolver.Resolve(endpoint, loop,
                   [self = self_](Resolver::Addresses addresses) {
                     if (*self != nullptr) {
                       (*self)->OnResolved(std::move(addresses));
                     }
                   });
}

Connector::~Connector() { *self_ = nullptr; }

void Connector::OnResolved(Resolver::Addresses addresses) {
  if (!addresses.ok()) {
    Finish(addresses.status());
    return;
  }
  addresses_ = *std::move(addresses);
  TryNext();
}

void Connector::TryNext() {
  while (next_ < addresses_.size()) {
    if (!Begin(addresses_[next_++])) continue;
    if (next_ < addresses_.size())
      next_attempt_->Set(loop_.Now() + kAttemptDelay);
    return;
  }
  if (!attempts_.empty()) return;
  Finish(absl::UnavailableError(
      absl::StrCat(endpoint_.ToString(), ": ", last_failure_)));
}

// False if the attempt failed at once.
bool Connector::Begin(const SocketAddress& address) {
  const int family = address.storage.ss_family;
  FileDescriptor socket(
      ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = socket.get();
  if (fd < 0) {
    NoteFailure(address, errno);
    return false;
  }
  if (family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage),
              address.length) != 0 &&
      errno != EINPROGRESS) {
    NoteFailure(address, errno);
    return false;
  }
  auto watch = loop_.NewWatch(fd, [this, fd](auto) { OnAnswer(fd); });
  watch->Want({.writable = true});
  attempts_.push_back({std::move(socket), &address, std::move(watch)});
  return true;
}

void Connector::OnAnswer(int socket) {
  const auto attempt =
      std::find_if(attempts_.begin(), attempts_.end(),
                   [&](const Attempt& a) { return a.socket.get() == socket; });
  const int error = ErrorOf(socket);
  if (error == 0) {
    attempt->watch.reset();
    Finish(std::move(attempt->socket));
    return;
  }
  NoteFailure(*attempt->address, error);
  attempt->watch.reset();
  attempts_.erase(attempt);
  TryNext();
}

void Connector::NoteFailure(const SocketAddress& address, int error) {
  last_failure_ =
      absl::StrCat(Describe(address), std::generic_category().message(error));
  if (addresses_.size() > 1) {
    absl::StrAppend(&last_failure_, " (of ", addresses_.size(), " addresses)");
  }
}

// A method must return after Finish(): the callback may destroy this object.
void Connector::Finish(absl::StatusOr<FileDescriptor> result) {
  attempts_.clear();
  next_attempt_->Cancel();
  Done done = std::move(done_);
  done(std::move(result));
}

}  // namespace rls
