#ifndef RLS_NET_POLLER_H_
#define RLS_NET_POLLER_H_

#include <sys/epoll.h>

#include <array>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"
#include "net/file_descriptor.h"

namespace rls {

// The descriptors of an EventLoop, over epoll.
//
// Threads: Wake() may be called by many threads at once, all else by one.
class Poller {
 public:
  Poller();  // aborts when the system gives no epoll or eventfd
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  std::unique_ptr<EventLoop::Watch> NewWatch(
      int fd, absl::AnyInvocable<void(EventLoop::Ready)> ready);

  // Waits until a descriptor is ready, Wake() or `timeout`; nullopt: for ever.
  // It may return early, but not by so much that calling it again would keep a
  // core busy.
  void Wait(std::optional<SteadyDuration> timeout);

  // Tells the watches what the last Wait() has found.
  void Dispatch();

  // Ends the Wait() that is under way, or else the next one.
  void Wake();

 private:
  class PollerWatch;

  int WaitFor(std::optional<SteadyDuration> timeout);

  FileDescriptor epoll_;
  FileDescriptor wake_;
  bool nanoseconds_ = false;  // whether the system has epoll_pwait2

  std::array<epoll_event, 128> events_;
  int found_ = 0;                   // how many events Wait() has found
  int next_ = 0;                    // the first that is not yet dispatched
  PollerWatch* running_ = nullptr;  // whose callback runs; null: destroyed
};

}  // namespace rls

#endif  // RLS_NET_POLLER_H_
