#ifndef RLS_APP_SETTINGS_H_
#define RLS_APP_SETTINGS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/admin_server.h"
#include "app/redis_settings.h"
#include "config/load.h"
#include "rpc/rpc_server.h"
#include "rpc/write_verdict.h"
#include "xds/xds_client.h"

namespace rls {

// The settings of the process, from flags and environment variables.
struct Settings {
  // The process runs under the name of envoyproxy/ratelimit, `ratelimit`.
  bool reference_name = false;
  std::vector<std::string> config_paths;
  std::optional<XdsOptions> xds;  // a value: the rules do not come from files
  RpcServerOptions grpc;
  std::string transport = "lean";  // or "grpc"
  AdminOptions admin;
  AnswerSettings answers;
  std::string log_level = "info";
  RedisSettings redis;
  // The number of processes that share the traffic. With on_backend_error:
  // local, each process allows its share of a limit.
  int replicas = 1;
  // The bounds of the counters in memory; both hold. The bytes leave half of
  // the 256 MiB of the shipped manifests to everything else.
  size_t max_counters = 10'000'000;
  size_t max_counter_bytes = size_t{128} << 20;
  absl::Duration drain_time = absl::Seconds(10);
};

// The result of reading a command line: settings to serve with, or a text to
// print before the process ends.
struct CommandLine {
  Settings settings;
  std::string print;  // the text of --help or --version; "" to serve
  // For the log, before serving.
  std::vector<std::string> warnings;
  std::vector<std::string> notes;
};

// Flags take precedence over environment variables, and these over the
// defaults. If argv[0] is the name of envoyproxy/ratelimit, arguments have no
// effect, and a line for the log names each.
//
// Failure: INVALID_ARGUMENT with the flag or variable, the value found and the
// value expected.
absl::StatusOr<CommandLine> ReadCommandLine(int argc, const char* const* argv,
                                            const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_SETTINGS_H_
