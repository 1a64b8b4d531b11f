// A rate limit service directly on nghttp2 and epoll that parses a request,
// answers OK and counts nothing. Measures the cost of HTTP/2 without a
// framework.
//
//   empty_h2 PORT [THREADS]
//
// Each thread has one epoll loop. New connections go to the threads in turn.
// All requests of one read are answered by one write.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "compare/empty_h2_connection.h"
#include "compare/empty_service.h"
#include "net/socket.h"

namespace rls {
namespace {

struct Loop {
  const FileDescriptor epoll{epoll_create1(EPOLL_CLOEXEC)};
  EmptyH2Memory memory;
};

void Serve(Loop& loop) {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(loop.epoll.get(), events.data(),
                                 static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* const connection = static_cast<EmptyH2Connection*>(
          events[static_cast<size_t>(i)].data.ptr);
      if (!connection->Proceed()) delete connection;
    }
  }
}

FileDescriptor Listen(int port) {
  FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0) {
    std::perror("empty_h2");
    std::exit(EXIT_FAILURE);
  }
  return listener;
}

// Serves until it is killed.
[[noreturn]] void Run(int port, int threads) {
  const FileDescriptor listener = Listen(port);
  std::vector<std::unique_ptr<Loop>> loops;
  for (int i = 0; i < threads; ++i) {
    loops.push_back(std::make_unique<Loop>());
    std::thread(Serve, std::ref(*loops.back())).detach();
  }
  for (size_t next = 0;; next = (next + 1) % loops.size()) {
    FileDescriptor socket(accept4(listener.get(), nullptr, nullptr,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.get() < 0) continue;
    // The loop owns the connection and deletes it after its last event.
    new EmptyH2Connection(std::move(socket), loops[next]->epoll.get(),
                          loops[next]->memory);
  }
}

}  // namespace
}  // namespace rls

int main(int argc, char** argv) {
  const auto arguments = rls::ReadEmptyArguments(argc, argv);
  if (!arguments.has_value()) return 2;
  rls::Run(arguments->port, arguments->threads);
}
