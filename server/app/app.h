#ifndef RLS_APP_APP_H_
#define RLS_APP_APP_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "app/settings.h"
#include "config/load.h"

namespace rls {

// The whole server: every module made and joined, lowest first.
class App {
 public:
  virtual ~App() = default;

  // "ready grpc=HOST:PORT http=HOST:PORT debug=HOST:PORT"
  virtual std::string ReadyLine() const = 0;

  // Loads the configuration again; a bad one is logged and changes nothing.
  virtual void Reload() = 0;

  // Not ready from now on; finishes what is in flight. Call once, at the end.
  virtual void Drain() = 0;
};

// Failure: INVALID_ARGUMENT (the configuration, one error a line, each with
// file:line), UNAVAILABLE (an address is taken).
absl::StatusOr<std::unique_ptr<App>> StartApp(const Settings& settings,
                                              const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_APP_H_
