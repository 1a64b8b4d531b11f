#include "app/settings.h"

#include <CLI/CLI.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "app/environment_settings.h"
#include "base/log.h"
#include "base/text.h"

#ifndef RLS_VERSION
#error "RLS_VERSION must be defined by the build"
#endif

namespace rls {
namespace {

constexpr char kAbout[] =
    "ratelimitd decides whether a request may pass: Envoy's ShouldRateLimit "
    "over gRPC.\nPrints one line `ready grpc=HOST:PORT http=HOST:PORT "
    "debug=HOST:PORT` when it serves. SIGHUP reloads the configuration, "
    "SIGTERM drains and ends.";

// CLI11 throws; this is its fence. Gives the text to print for --help and
// --version, "" to go on.
absl::StatusOr<std::string> ParseFlags(int argc, const char* const* argv,
                                       Settings& settings) {
  std::vector<std::string> paths;
  CLI::App cli(kAbout, "ratelimitd");
  cli.add_option("--config", paths,
                 "File or folder with rules; can be given several times "
                 "[env: RUNTIME_ROOT, RUNTIME_SUBDIRECTORY]")
      ->type_name("PATH")
      ->allow_extra_args(false);
  cli.add_option("--redis-url", settings.redis.server.url,
                 "Where the counters are, e.g. redis://host:6379, rediss://, "
                 "unix:///path, redis+sentinel://host,host/master, "
                 "redis+cluster://host,host; in memory without it "
                 "[env: REDIS_URL]")
      ->type_name("URL");
  cli.add_option("--grpc-address", settings.grpc.address,
                 "Where gRPC listens; port 0 takes a free one; or unix:PATH "
                 "[env: GRPC_HOST, GRPC_PORT]")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  cli.add_option("--transport", settings.transport,
                 "What serves gRPC: lean, or grpc, the general library, which "
                 "costs several times as much [env: GRPC_TRANSPORT]")
      ->type_name("NAME")
      ->capture_default_str();
  cli.add_option("--http-address", settings.admin.http_address,
                 "Where /healthcheck, /metrics and /json are "
                 "[env: HOST, PORT]")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  cli.add_option("--debug-address", settings.admin.debug_address,
                 "Where /rlconfig is [env: DEBUG_HOST, DEBUG_PORT]")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  cli.add_option("--log-level", settings.log_level,
                 "debug, info, warn or error [env: LOG_LEVEL]")
      ->type_name("LEVEL")
      ->capture_default_str();
  cli.set_version_flag("--version", "ratelimitd " RLS_VERSION);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return cli.help();
  } catch (const CLI::CallForVersion&) {
    return absl::StrCat("ratelimitd ", RLS_VERSION, "\n");
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  if (!paths.empty()) settings.config_paths = std::move(paths);
  return std::string();
}

absl::Status CheckAddress(absl::string_view flag, absl::string_view address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon != absl::string_view::npos && colon > 0 &&
      absl::SimpleAtoi(address.substr(colon + 1), &port) && port >= 0 &&
      port <= 65535) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": found ", Quoted(address), ", expected HOST:PORT"));
}

absl::Status CheckSettings(const Settings& settings) {
  absl::Status status;
  if (!absl::StartsWith(settings.grpc.address, "unix:")) {
    status.Update(CheckAddress("--grpc-address", settings.grpc.address));
  }
  status.Update(CheckAddress("--http-address", settings.admin.http_address));
  status.Update(CheckAddress("--debug-address", settings.admin.debug_address));
  if (settings.transport != "grpc" && settings.transport != "lean") {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--transport: found ", Quoted(settings.transport),
                     ", expected lean or grpc")));
  }
  if (!IsLogLevelName(settings.log_level)) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--log-level: found ", Quoted(settings.log_level),
                     ", expected debug, info, warn or error")));
  }
  if (!settings.redis.server.url.empty()) {
    status.Update(RedisOptionsOf(settings.redis).status());
  }
  if (settings.config_paths.empty()) {
    status.Update(absl::InvalidArgumentError(
        "no configuration: give --config PATH or set RUNTIME_ROOT"));
  }
  return status;
}

}  // namespace

absl::StatusOr<CommandLine> ReadCommandLine(int argc, const char* const* argv,
                                            const Environment& environment) {
  CommandLine line;
  if (absl::Status applied = ApplyEnvironment(environment, line.settings);
      !applied.ok()) {
    return applied;
  }
  absl::StatusOr<std::string> print = ParseFlags(argc, argv, line.settings);
  if (!print.ok()) return print.status();
  line.print = *std::move(print);
  if (!line.print.empty()) return line;
  if (absl::Status checked = CheckSettings(line.settings); !checked.ok()) {
    return checked;
  }
  return line;
}

}  // namespace rls
