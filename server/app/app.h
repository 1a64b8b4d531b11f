#ifndef RLS_APP_APP_H_
#define RLS_APP_APP_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "app/settings.h"
#include "config/load.h"

namespace rls {

// The whole server. Creates and connects all modules, the lowest module first.
class App {
 public:
  virtual ~App() = default;

  // "ready grpc=HOST:PORT http=HOST:PORT debug=HOST:PORT", and
  // " prometheus=HOST:PORT" if that port is open.
  virtual std::string ReadyLine() const = 0;

  // Loads the configuration again, on another thread. Returns at once.
  virtual void Reload() = 0;

  // Makes the server not ready, for the HTTP port and gRPC health. It goes on
  // accepting connections and serving requests. Call once, before Drain().
  virtual void StopBeingReady() = 0;

  // Accepts no more requests, and finishes the requests in flight. Call once,
  // at the end. `enter` runs before each step, with a name for the log.
  virtual void Drain(const std::function<void(const char*)>& enter) = 0;
};

// Failure: INVALID_ARGUMENT (a bad configuration: one line for each error, with
// file:line), UNAVAILABLE (an address is in use).
absl::StatusOr<std::unique_ptr<App>> StartApp(const Settings& settings,
                                              const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_APP_H_
