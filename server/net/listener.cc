#include "net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/log.h"

namespace rls {
namespace {

constexpr int kBacklog = 1024;
// Connections taken in one turn, so that a storm of them stops nobody else.
constexpr int kAcceptsPerTurn = 64;
constexpr auto kPause = std::chrono::milliseconds(100);

absl::Status Unavailable(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat(address, ": ", why));
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

  void Accept(absl::AnyInvocable<void(FileDescriptor)> on_connection) override {
    on_connection_ = std::move(on_connection);
    watch_ = loop_.NewWatch(socket_.get(),
                            [this](EventLoop::Ready) { AcceptSome(); });
    resume_ = loop_.NewTimer([this] { watch_->Want({.readable = true}); });
    watch_->Want({.readable = true});
  }

 private:
  void AcceptSome() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      FileDescriptor connection(accept4(socket_.get(), nullptr, nullptr,
                                        SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection.get() >= 0) {
        const int on = 1;
        // Fails on a Unix socket, which knows no delay.
        setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        on_connection_(std::move(connection));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                 errno == ENOMEM) {
        Pause();
        return;
      } else if (errno == EAGAIN) {
        return;
      }
      // Anything else is about the one connection, which has gone again.
    }
  }

  // The connection stays in the backlog, and epoll would tell of it for ever.
  void Pause() {
    LogWarning(
        absl::StrCat("cannot take a connection: ", std::strerror(errno)));
    watch_->Want({});
    resume_->Set(loop_.Now() + kPause);
  }

  EventLoop& loop_;
  const FileDescriptor socket_;
  const std::string address_;
  const std::string unix_path_;
  absl::AnyInvocable<void(FileDescriptor)> on_connection_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::unique_ptr<EventLoop::Timer> resume_;
};

// -1, with errno, when the address cannot be had.
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

// A socket that a process which was killed has left behind. A file of another
// kind refuses as well, and one whose queue is full would make a blocking probe
// wait.
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
  // "::" is followed by nothing: where there is no IPv6, it is meant as "every
  // address" all the same.
  for (const addrinfo* one = found; one != nullptr && socket.get() < 0;
       one = one->ai_next) {
    socket = Bound(one->ai_family, one->ai_addr, one->ai_addrlen);
  }
  freeaddrinfo(found);
  if (socket.get() < 0 && errno == EAFNOSUPPORT && host == "::") {
    return Listen(loop, absl::StrCat("0.0.0.0:", port));
  }
  if (socket.get() < 0) return Unavailable(address, std::strerror(errno));
  std::string bound =
      absl::StrCat(address.substr(0, colon), ":", PortOf(socket.get()));
  return std::make_unique<EpollListener>(loop, std::move(socket),
                                         std::move(bound), "");
}

}  // namespace rls
