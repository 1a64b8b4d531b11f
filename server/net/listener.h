#ifndef RLS_NET_LISTENER_H_
#define RLS_NET_LISTENER_H_

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/admission.h"
#include "net/event_loop.h"
#include "net/socket.h"

namespace rls {

// A listening socket on a loop: TCP or Unix. The destructor removes the path of
// a Unix socket.
//
// Threads: the loop's thread only, once the loop runs.
class StreamListener {
 public:
  virtual ~StreamListener() = default;

  // "host:port" with the actual port, or "unix:PATH".
  virtual const std::string& address() const = 0;

  using OnConnection =
      absl::AnyInvocable<void(FileDescriptor, const PeerAddress&)>;
  using OnError = absl::AnyInvocable<void(int)>;

  // Starts to accept connections. Each is non-blocking and has TCP_NODELAY; the
  // callback owns it. After an error of the system, for example if no
  // descriptor is left, the listener invokes `on_error` with errno and tries
  // again after 100 ms. An error of one connection, whose client has already
  // gone, has no effect.
  virtual void Accept(OnConnection on_connection, OnError on_error) = 0;
};

// `address` is "host:port", "[v6]:port", or "unix:PATH". Port 0: a free port.
// The lookup of a host name may block. "::" also accepts IPv4.
//
// Failure: UNAVAILABLE with the address and the reason.
absl::StatusOr<std::unique_ptr<StreamListener>> Listen(
    EventLoop& loop, absl::string_view address);

// The loop of a server that a new connection goes to: the one with the fewest.
// A gateway opens only a few connections; a hash of the port would not spread
// them evenly over the cores. `loops` must not be empty.
template <typename Loop>
Loop& LoopWithFewestConnections(
    const std::vector<std::unique_ptr<Loop>>& loops) {
  return **std::min_element(loops.begin(), loops.end(),
                            [](const auto& a, const auto& b) {
                              return a->connections() < b->connections();
                            });
}

// A listener on a running loop, for an owner on another thread.
//
// Threads: one thread at a time, which is not the loop's.
// Lifetime: the loop must run, and outlive the object.
class RunningListener {
 public:
  explicit RunningListener(EventLoop& loop) : loop_(loop) {}
  ~RunningListener() { Close(); }
  RunningListener(const RunningListener&) = delete;
  RunningListener& operator=(const RunningListener&) = delete;

  // Listens and accepts. The callbacks run on the loop's thread. `protocol` is
  // for the error. Call once.
  // Failure: UNAVAILABLE with the protocol, the address and the reason.
  absl::Status Start(
      absl::string_view protocol, absl::string_view address,
      absl::AnyInvocable<void(FileDescriptor, const PeerAddress&)>
          on_connection,
      absl::AnyInvocable<void(int)> on_error);

  // Returns when no callback runs any more.
  void Close();

  bool is_open() const { return listener_ != nullptr; }
  // As StreamListener::address(); also after Close().
  const std::string& address() const { return address_; }

 private:
  EventLoop& loop_;
  std::unique_ptr<StreamListener> listener_;
  std::string address_;
};

}  // namespace rls

#endif  // RLS_NET_LISTENER_H_
