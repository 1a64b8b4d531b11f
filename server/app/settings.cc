#include "app/settings.h"

#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "app/environment.h"
#include "app/reference_name.h"
#include "app/shown_settings.h"
#include "base/log.h"
#include "base/text.h"

#ifndef RLS_VERSION
#error "RLS_VERSION must be defined by the build"
#endif

namespace rls {
namespace {

constexpr char kAbout[] =
    "ratelimitd decides whether a request may pass. It serves Envoy's "
    "ShouldRateLimit over gRPC.\nWhen it is ready, it prints one line `ready "
    "grpc=HOST:PORT http=HOST:PORT debug=HOST:PORT`, with "
    "` prometheus=HOST:PORT` at its end if that port is open. SIGHUP reloads "
    "the configuration. After SIGTERM the process serves for the drain delay, "
    "finishes running requests and ends.";

void AddDrainDelay(CLI::App& cli, absl::Duration& delay) {
  cli.add_option_function<std::string>(
         "--drain-delay",
         [&delay](const std::string& text) {
           const auto parsed = ParseWait(text);
           if (!parsed.has_value()) {
             throw CLI::ValidationError(absl::StrCat(
                 "--drain-delay: found ", Quoted(text),
                 ", expected a duration with its unit, such as 5s"));
           }
           delay = *parsed;
         },
         "The time after SIGTERM for which the server serves, but is not "
         "ready; 0s: none; default: 5s [env: DRAIN_DELAY]")
      ->type_name("DURATION");
}

// The variables that a flag replaces, from `[env: A, B]` in its description.
std::vector<std::string> VariablesOf(absl::string_view description) {
  const size_t begin = description.find("[env: ");
  if (begin == absl::string_view::npos) return {};
  description.remove_prefix(begin + 6);
  description = description.substr(0, description.find(']'));
  return absl::StrSplit(description, ", ");
}

// Adds the flags to the settings from the environment. A flag that is given
// replaces the variables of its description.
void ShowFlags(const CLI::App& cli, ShownSettings& shown) {
  for (const CLI::Option* flag : cli.get_options()) {
    if (flag->get_items_expected_max() == 0) continue;  // --help
    const auto variables = VariablesOf(flag->get_description());
    if (flag->count() > 0) {
      for (const std::string& name : variables) shown.erase(name);
      shown[flag->get_name()] = {absl::StrJoin(flag->results(), ","), "flag"};
    } else if (variables.empty()) {
      shown[flag->get_name()] = {flag->get_default_str(), "default"};
    }
  }
}

// Returns the text to print for --help and --version, otherwise "". CLI11
// throws exceptions; this function catches them.
absl::StatusOr<std::string> ParseFlags(int argc, const char* const* argv,
                                       Settings& settings, bool& print_settings,
                                       ShownSettings& shown) {
  std::vector<std::string> paths;
  CLI::App cli(kAbout, "ratelimitd");
  cli.add_option("--config", paths,
                 "File or folder with rules; may be given several times "
                 "[env: RUNTIME_ROOT, RUNTIME_SUBDIRECTORY, "
                 "RUNTIME_APPDIRECTORY]")
      ->type_name("PATH")
      ->allow_extra_args(false);
  cli.add_option("--redis-url", settings.redis.server.url,
                 "The Redis that stores the counters, e.g. redis://host:6379, "
                 "rediss://, unix:///path, redis+sentinel://host,host/master, "
                 "redis+cluster://host,host; default: counters in memory "
                 "[env: REDIS_URL]")
      ->type_name("URL");
  cli.add_option("--grpc-address", settings.grpc.address,
                 "The address of gRPC, or unix:PATH; port 0: any free port "
                 "[env: GRPC_HOST, GRPC_PORT]")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  cli.add_option("--transport", settings.transport,
                 "The gRPC implementation: lean, or grpc, the general library, "
                 "which needs several times the CPU time "
                 "[env: GRPC_TRANSPORT]")
      ->type_name("NAME")
      ->capture_default_str();
  cli.add_option("--http-address", settings.admin.http_address,
                 "The address of the health pages, /metrics, /json and "
                 "/v1/forward-auth "
                 "[env: HOST, PORT]")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  cli.add_option("--debug-address", settings.admin.debug_address,
                 "The address of the debug pages [env: DEBUG_HOST, DEBUG_PORT]")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  cli.add_option("--log-level", settings.log_level,
                 "debug, info, warn or error [env: LOG_LEVEL]")
      ->type_name("LEVEL")
      ->capture_default_str();
  AddDrainDelay(cli, settings.drain_delay);
  cli.add_flag("--print-settings", print_settings,
               "Print every setting with its value and origin, and exit");
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
  ShowFlags(cli, shown);
  if (paths.empty()) return std::string();
  if (settings.xds.has_value()) {
    return absl::InvalidArgumentError(
        "--config cannot be combined with CONFIG_TYPE=GRPC_XDS_SOTW or "
        "GRPC_XDS_DELTA");
  }
  settings.config_paths = std::move(paths);
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
  return status;
}

absl::Status CheckHasRules(const Settings& settings) {
  if (!settings.config_paths.empty() || settings.xds.has_value()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "no configuration: give --config PATH or set RUNTIME_ROOT, or "
      "CONFIG_TYPE=GRPC_XDS_SOTW");
}

// `redis:` of a file holds if neither a flag nor a variable names the Redis.
std::string PrintSettings(const Settings& settings, ShownSettings shown,
                          const Environment& environment) {
  if (settings.redis.server.url.empty() && !settings.redis.in_memory &&
      !settings.xds.has_value()) {
    const RedisPlace place = RedisOfFiles(settings.config_paths, environment);
    if (!place.url.empty()) {
      shown["REDIS_URL"] = {place.url,
                            absl::StrCat("configuration file ", place.origin)};
    }
  }
  return SettingsText(shown);
}

}  // namespace

absl::StatusOr<CommandLine> ReadCommandLine(int argc, const char* const* argv,
                                            const Environment& environment) {
  CommandLine line;
  Settings& settings = line.settings;
  settings.reference_name = argc > 0 && IsReferenceName(argv[0]);
  absl::StatusOr<EnvironmentReport> report =
      ApplyEnvironment(environment, settings);
  if (!report.ok()) return report.status();
  line.warnings = std::move(report->warnings);
  for (std::string& warning : IgnoredArguments(argc, argv)) {
    line.warnings.push_back(std::move(warning));
  }
  line.notes = NotesOnReference(argc, argv, environment);
  bool print_settings = false;
  absl::StatusOr<std::string> print =
      ParseFlags(settings.reference_name ? 1 : argc, argv, settings,
                 print_settings, report->shown);
  if (!print.ok()) return print.status();
  line.print = *std::move(print);
  if (!line.print.empty()) return line;
  absl::Status checked = SettleMemory(settings.redis);
  checked.Update(CheckSettings(settings));
  if (!print_settings) checked.Update(CheckHasRules(settings));
  if (!checked.ok()) return checked;
  if (print_settings) {
    line.print = PrintSettings(settings, std::move(report->shown), environment);
  }
  return line;
}

}  // namespace rls
