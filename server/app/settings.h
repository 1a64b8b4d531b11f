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
#include "app/stats_settings.h"
#include "base/log.h"
#include "config/load.h"
#include "limiter/modes.h"
#include "rpc/rpc_server.h"
#include "rpc/write_verdict.h"
#include "trace/tracer.h"
#include "xds/xds_client.h"

namespace rls {

// The rules without which the process is not ready.
enum class ReadyWith {
  kNothing,
  kConfiguration,  // a configuration is loaded, which may be empty
  kDomain,         // at least one domain is loaded
};

// The settings of the process, from flags and environment variables.
struct Settings {
  // The process runs under the name of envoyproxy/ratelimit, `ratelimit`.
  bool reference_name = false;
  std::vector<std::string> config_paths;
  bool merge_domains = false;  // several files may contain one domain
  ReadyWith ready_with = ReadyWith::kNothing;
  std::optional<XdsOptions> xds;  // a value: the rules do not come from files
  std::optional<TracerOptions> trace;  // nullopt: nothing is traced
  StatsSettings stats;
  RpcServerOptions grpc;
  std::string transport = "lean";  // or "grpc"
  AdminOptions admin;
  AnswerSettings answers;
  DecisionModes decisions;
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
  RedisSettings redis;
  // The number of processes that share the traffic. With on_backend_error:
  // local, each process allows its share of a limit.
  int replicas = 1;
  // The bounds of the counters in memory; both hold. The bytes leave half of
  // the 256 MiB of the shipped manifests to everything else.
  size_t max_counters = 10'000'000;
  size_t max_counter_bytes = size_t{128} << 20;
  // After SIGTERM the process serves for this time before it drains, so that
  // all gateways learn that it leaves. A Kubernetes Service needs one or two
  // seconds. `docker stop` allows ten for everything.
  absl::Duration drain_delay = absl::Seconds(5);
  absl::Duration drain_time = absl::Seconds(10);
};

// The result of reading a command line: settings to serve with, or a text to
// print before the process ends.
struct CommandLine {
  Settings settings;
  // The text of --help, --version or --print-settings; "" to serve.
  std::string print;
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
