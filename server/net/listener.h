#ifndef RLS_NET_LISTENER_H_
#define RLS_NET_LISTENER_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/event_loop.h"
#include "net/file_descriptor.h"

namespace rls {

// A listening socket on a loop: TCP, or a Unix socket whose path it removes
// when it goes.
//
// Threads: the loop's only, once it runs.
class StreamListener {
 public:
  virtual ~StreamListener() = default;

  // "host:port" with the port that was taken, or the address as it was given.
  virtual const std::string& address() const = 0;

  // Takes connections from now on: each is given away, not blocking, without
  // delay. When the process has no descriptor left it waits a moment.
  virtual void Accept(
      absl::AnyInvocable<void(FileDescriptor)> on_connection) = 0;
};

// `address` is "host:port", "[v6]:port", or "unix:PATH". A host name is looked
// up here, which may block. "::" takes IPv4 as well.
//
// Failure: UNAVAILABLE with the address and why it cannot be had.
absl::StatusOr<std::unique_ptr<StreamListener>> Listen(
    EventLoop& loop, absl::string_view address);

}  // namespace rls

#endif  // RLS_NET_LISTENER_H_
