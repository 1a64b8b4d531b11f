#ifndef RLS_APP_SETTINGS_H_
#define RLS_APP_SETTINGS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/admin_server.h"
#include "app/redis_settings.h"
#include "config/load.h"
#include "rpc/answer_settings.h"
#include "rpc/rpc_server.h"

namespace rls {

// Everything that is told to the process when it starts.
struct Settings {
  std::vector<std::string> config_paths;
  RpcServerOptions grpc;
  std::string transport = "lean";  // or "grpc"
  AdminOptions admin;
  AnswerSettings answers;
  std::string log_level = "info";
  RedisSettings redis;
  // Processes that share the traffic: what each may let through by itself where
  // a rule says on_backend_error: local.
  int replicas = 1;
  size_t max_counters = 10'000'000;
  absl::Duration drain_time = absl::Seconds(10);
};

// What a command line asks for: to serve, or to print a text and stop.
struct CommandLine {
  Settings settings;
  std::string print;  // of --help or --version; "" to serve
};

// Flags win over environment variables, these over the defaults.
//
// Failure: INVALID_ARGUMENT that names the flag or variable, what was found and
// what was expected.
absl::StatusOr<CommandLine> ReadCommandLine(int argc, const char* const* argv,
                                            const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_SETTINGS_H_
