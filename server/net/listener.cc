#include "net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <latch>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace rls {
namespace {

constexpr int kBacklog = 1024;
// The maximum of connections accepted in one turn, so that many new connections
// do not delay the others.
constexpr int kAcceptsPerTurn = 16;
constexpr auto kPause = std::chrono::milliseconds(100);

absl::Status Unavailable(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat(address, ": ", why));
}

// Errors of a connection that is already gone. Linux also passes on errors of
// the network that are already known: accept(2).
bool ConcernsOneConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:  // a firewall
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

uint16_t PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

class EpollListener final : public StreamListener {
 public:
  EpollListener(EventLoop& loop, FileDescriptor socket, std::string address,
                std::string unix_path)
      : loop_(loop),
        socket_(std::move(socket)),
        address_(std::move(address)),
        unix_path_(std::move(unix_path)) {}

  ~EpollListener() override {
    if (!unix_path_.empty()) unlink(unix_path_.c_str());
  }

  const std::string& address() const override { return address_; }

  void Accept(OnConnection on_connection, OnError on_error) override {
    on_connection_ = std::move(on_connection);
    on_error_ = std::move(on_error);
    watch_ = loop_.NewWatch(socket_.get(),
                            [this](EventLoop::Ready) { AcceptSome(); });
    resume_ = loop_.NewTimer([this] { watch_->Want({.readable = true}); });
    watch_->Want({.readable = true});
  }

 private:
  void AcceptSome() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage address = {};
      socklen_t size = sizeof(address);
      FileDescriptor connection(accept4(socket_.get(),
                                        reinterpret_cast<sockaddr*>(&address),
                                        &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection.get() >= 0) {
        const int on = 1;
        // Fails on a Unix socket, which has no such option.
        setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        on_connection_(std::move(connection), PeerAddress::Of(address));
      } else if (errno == EAGAIN) {
        return;
      } else if (!ConcernsOneConnection(errno)) {
        Pause(errno);
        return;
      }
    }
  }

  // The connection stays in the backlog, and epoll would report it again and
  // again.
  void Pause(int error) {
    watch_->Want({});
    resume_->Set(loop_.Now() + kPause);
    on_error_(error);
  }

  EventLoop& loop_;
  const FileDescriptor socket_;
  const std::string address_;
  const std::string unix_path_;
  OnConnection on_connection_;
  OnError on_error_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::unique_ptr<EventLoop::Timer> resume_;
};

// A listening socket; -1, with errno, if the address is not available.
FileDescriptor Bound(int family, const sockaddr* address, socklen_t size) {
  FileDescriptor socket(
      ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return socket;
  const int on = 1;
  const int off = 0;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (family == AF_INET6) {
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(socket.get(), address, size) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    const int why = errno;
    socket = FileDescriptor();
    errno = why;
  }
  return socket;
}

// Whether the path is a socket that a killed process left behind. A file of
// another kind also refuses connections, so its type is checked. The probe does
// not block, because it would wait for a live socket with a full queue.
bool IsDead(const sockaddr_un& name) {
  struct stat file;
  if (lstat(name.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const FileDescriptor probe(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&name),
                 sizeof(name)) != 0 &&
         errno == ECONNREFUSED;
}

absl::StatusOr<std::unique_ptr<StreamListener>> ListenOnPath(
    EventLoop& loop, absl::string_view address, const std::string& path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(name.sun_path)) {
    return Unavailable(address, "the path is empty or too long");
  }
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  const auto& target = reinterpret_cast<const sockaddr&>(name);
  FileDescriptor socket = Bound(AF_UNIX, &target, sizeof(name));
  if (socket.get() < 0 && errno == EADDRINUSE) {
    if (IsDead(name)) unlink(path.c_str());
    socket = Bound(AF_UNIX, &target, sizeof(name));
  }
  if (socket.get() < 0) return Unavailable(address, std::strerror(errno));
  return std::make_unique<EpollListener>(loop, std::move(socket),
                                         std::string(address), path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamListener>> Listen(
    EventLoop& loop, absl::string_view address) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    return ListenOnPath(loop, address, std::string(path));
  }
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return Unavailable(address, "no port");
  const std::string port(address.substr(colon + 1));
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked_up =
      getaddrinfo(std::string(host).c_str(), port.c_str(), &hints, &found);
  if (looked_up != 0) return Unavailable(address, gai_strerror(looked_up));
  FileDescriptor socket;
  for (const addrinfo* one = found; one != nullptr && socket.get() < 0;
       one = one->ai_next) {
    socket = Bound(one->ai_family, one->ai_addr, one->ai_addrlen);
  }
  freeaddrinfo(found);
  // "::" means every address, also on a machine without IPv6.
  if (socket.get() < 0 && errno == EAFNOSUPPORT && host == "::") {
    return Listen(loop, absl::StrCat("0.0.0.0:", port));
  }
  if (socket.get() < 0) return Unavailable(address, std::strerror(errno));
  std::string bound =
      absl::StrCat(address.substr(0, colon), ":", PortOf(socket.get()));
  return std::make_unique<EpollListener>(loop, std::move(socket),
                                         std::move(bound), "");
}

absl::Status RunningListener::Start(
    absl::string_view protocol, absl::string_view address,
    absl::AnyInvocable<void(FileDescriptor, const PeerAddress&)> on_connection,
    absl::AnyInvocable<void(int)> on_error) {
  auto listener = Listen(loop_, address);
  if (!listener.ok()) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen for ", protocol, " on ", listener.status().message()));
  }
  listener_ = *std::move(listener);
  address_ = listener_->address();
  loop_.Post([this, on_connection = std::move(on_connection),
              on_error = std::move(on_error)]() mutable {
    listener_->Accept(std::move(on_connection), std::move(on_error));
  });
  return absl::OkStatus();
}

void RunningListener::Close() {
  if (!is_open()) return;
  std::latch closed(1);
  loop_.Post([this, &closed] {
    listener_.reset();
    closed.count_down();
  });
  closed.wait();
}

}  // namespace rls
