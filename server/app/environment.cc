#include "app/environment.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "admin/forward_auth.h"
#include "app/decision_settings.h"
#include "app/ignored_variables.h"
#include "app/redis_settings.h"
#include "app/shown_settings.h"
#include "app/stats_settings.h"
#include "app/trace_settings.h"
#include "app/xds_settings.h"
#include "base/text.h"

namespace rls {
namespace {

// Whether Kubernetes has set the variable, for a Service with this name.
bool IsServiceLink(absl::string_view name, absl::string_view value) {
  return absl::EndsWith(name, "_PORT") && (absl::StartsWith(value, "tcp://") ||
                                           absl::StartsWith(value, "udp://") ||
                                           absl::StartsWith(value, "sctp://"));
}

void ReadForwardAuth(EnvironmentReader& reader, ForwardAuthSettings& settings) {
  reader.Read("FORWARD_AUTH_DOMAIN", settings.domain);
  reader.Read("FORWARD_AUTH_TIMEOUT", settings.timeout);
  reader.Read("FORWARD_AUTH_DESCRIPTORS", settings.descriptors);
  if (!ParseHeaderDescriptors(settings.descriptors).ok()) {
    reader.Fail("FORWARD_AUTH_DESCRIPTORS", settings.descriptors,
                "key=Header|OtherHeader,key=Header;key=Header");
  }
}

// The names of the variables for the TLS of one port.
struct TlsNames {
  const char* use;
  const char* certificate;
  const char* key;
  const char* client_authority;
  const char* client_name;
};
constexpr TlsNames kGrpcTls = {"GRPC_SERVER_USE_TLS", "GRPC_SERVER_TLS_CERT",
                               "GRPC_SERVER_TLS_KEY", "GRPC_CLIENT_TLS_CACERT",
                               "GRPC_CLIENT_TLS_SAN"};
constexpr TlsNames kHttpTls = {"HTTP_SERVER_USE_TLS", "HTTP_SERVER_TLS_CERT",
                               "HTTP_SERVER_TLS_KEY", "HTTP_CLIENT_TLS_CACERT",
                               "HTTP_CLIENT_TLS_SAN"};

void ReadTls(EnvironmentReader& reader, const TlsNames& names,
             std::optional<ServerTlsOptions>& options) {
  bool use = false;
  reader.Read(names.use, use);
  ServerTlsOptions tls;
  reader.Read(names.certificate, tls.certificate_file);
  reader.Read(names.key, tls.key_file);
  reader.Read(names.client_authority, tls.client_ca_file);
  reader.Read(names.client_name, tls.client_name);
  if (use) options = std::move(tls);
}

// The folder that envoyproxy/ratelimit reads.
void ReadFolder(EnvironmentReader& reader, Settings& settings) {
  std::string root = settings.reference_name ? "/srv/runtime_data/current" : "";
  std::string subdirectory;
  std::string app_directory = "config";
  reader.Read("RUNTIME_ROOT", root);
  reader.Read("RUNTIME_SUBDIRECTORY", subdirectory);
  reader.Read("RUNTIME_APPDIRECTORY", app_directory);
  // Both ways of change are noticed, so either value has its effect.
  bool watch_root = true;
  reader.Read("RUNTIME_WATCH_ROOT", watch_root);
  reader.Read("MERGE_DOMAIN_CONFIG", settings.merge_domains);
  bool ignore_dot_files = true;
  reader.Read("RUNTIME_IGNOREDOTFILES", ignore_dot_files);
  if (!ignore_dot_files) {
    reader.Warn(
        "RUNTIME_IGNOREDOTFILES=false has no effect: dot files and dot folders "
        "are never read");
  }
  if (root.empty()) return;
  std::vector<std::string> parts = {root};
  if (!subdirectory.empty()) parts.push_back(subdirectory);
  parts.push_back(app_directory);
  settings.config_paths = {absl::StrJoin(parts, "/")};
}

void ReadLogLevel(EnvironmentReader& reader, std::string& level) {
  reader.Read("LOG_LEVEL", level);
  if (IsLogLevelName(level)) return;
  reader.Fail("LOG_LEVEL", level, "debug, info, warn or error");
}

void ReadTransport(EnvironmentReader& reader, std::string& transport) {
  reader.Read("GRPC_TRANSPORT", transport);
  if (transport == "lean" || transport == "grpc") return;
  reader.Fail("GRPC_TRANSPORT", transport, "lean or grpc");
}

// A path instead of host and port, as in envoyproxy/ratelimit.
void ReadUnixSocket(EnvironmentReader& reader, std::string& address) {
  std::string path;
  reader.Read("GRPC_UDS", path);
  if (!path.empty()) address = absl::StrCat("unix:", path);
}

// envoyproxy/ratelimit takes any other word for text.
void ReadLogFormat(EnvironmentReader& reader, LogFormat& format) {
  std::string word = "text";
  reader.Read("LOG_FORMAT", word);
  if (absl::EqualsIgnoreCase(word, "json")) {
    format = LogFormat::kJson;
  } else if (!absl::EqualsIgnoreCase(word, "text")) {
    reader.Warn(absl::StrCat("LOG_FORMAT: found ", Quoted(word),
                             ", expected text or json; the format is text"));
  }
}

ReadyWith ReadReadyWith(EnvironmentReader& reader, bool is_xds) {
  bool needs_domain = false;
  reader.Read("HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED", needs_domain);
  // Without it, envoyproxy/ratelimit opens no port until a configuration server
  // has answered. Readiness keeps callers away just as well.
  bool force_start = false;
  reader.Read("FORCE_START_WITHOUT_INITIAL_CONFIG", force_start);
  if (needs_domain) return ReadyWith::kDomain;
  return is_xds && !force_start ? ReadyWith::kConfiguration
                                : ReadyWith::kNothing;
}

}  // namespace

std::optional<bool> ParseBoolean(absl::string_view text) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<absl::Duration> ParseWait(absl::string_view text) {
  absl::Duration wait;
  if (!absl::ParseDuration(text, &wait) || wait < absl::ZeroDuration() ||
      wait == absl::InfiniteDuration()) {
    return std::nullopt;
  }
  return wait;
}

std::optional<std::string> EnvironmentReader::Peek(const char* name) {
  std::optional<std::string> value = environment_(name);
  if (!value.has_value() || value->empty()) return std::nullopt;
  if (!IsServiceLink(name, *value)) return value;
  Warn(absl::StrCat(name, " has no effect: ", Quoted(*value),
                    " is a service link of Kubernetes"));
  return std::nullopt;
}

std::optional<std::string> EnvironmentReader::Text(const char* name) {
  std::optional<std::string> value = Peek(name);
  shown_[name] = {
      .value = value.value_or(""),
      .origin = value.has_value() ? "environment variable" : "default"};
  return value;
}

void EnvironmentReader::Read(const char* name, std::string& into) {
  if (auto value = Text(name)) into = *std::move(value);
  ShowValue(name, into);
}

void EnvironmentReader::ReadHeaderName(const char* name, std::string& into) {
  const auto value = Text(name);
  if (value.has_value() && !IsHeaderName(*value)) {
    Fail(name, *value, "the name of a header");
    return;
  }
  into = value.value_or(into);
  ShowValue(name, into);
}

void EnvironmentReader::Read(const char* name, bool& into) {
  const auto value = Text(name);
  const std::optional<bool> parsed =
      value.has_value() ? ParseBoolean(*value) : into;
  if (!parsed.has_value()) {
    Fail(name, *value, "true or false");
    return;
  }
  into = *parsed;
  ShowValue(name, into ? "true" : "false");
}

void EnvironmentReader::Read(const char* name, absl::Duration& into) {
  const auto value = Text(name);
  const std::optional<absl::Duration> parsed =
      value.has_value() ? ParseWait(*value) : into;
  if (!parsed.has_value()) {
    Fail(name, *value, "a duration with its unit, such as 30s or 24h");
    return;
  }
  into = *parsed;
  ShowValue(name, absl::FormatDuration(into));
}

void EnvironmentReader::ReadFraction(const char* name, double& into) {
  const auto value = Text(name);
  double parsed = into;
  if (value.has_value() &&
      (!absl::SimpleAtod(*value, &parsed) || !(parsed >= 0 && parsed <= 1))) {
    Fail(name, *value, "a number from 0 to 1");
    return;
  }
  into = parsed;
  ShowValue(name, absl::StrCat(into));
}

void EnvironmentReader::ReadPairs(const char* name, const PairFormat& format,
                                  Pairs& into) {
  const auto text = Text(name);
  if (!text.has_value()) return;
  for (const absl::string_view pair : absl::StrSplit(*text, ',')) {
    if (format.skips_empty && absl::StripAsciiWhitespace(pair).empty()) {
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(pair, absl::MaxSplits(format.separator, 1));
    const absl::string_view key = absl::StripAsciiWhitespace(parts.first);
    if (key.empty() || pair.find(format.separator) == pair.npos) {
      Fail(name, format.is_secret ? "another form" : *text, format.expected);
      return;
    }
    into.emplace_back(key, absl::StripAsciiWhitespace(parts.second));
  }
}

void EnvironmentReader::ReadAddress(const char* host_name,
                                    const char* port_name, std::string& into) {
  const size_t colon = into.rfind(':');
  std::string host = into.substr(0, colon);
  int port = 0;
  (void)absl::SimpleAtoi(into.substr(colon + 1), &port);  // a valid default
  Read(host_name, host);
  ReadNumber(port_name, 0, 65535, port);
  const bool bare_ipv6 = host.find(':') != std::string::npos && host[0] != '[';
  into = bare_ipv6 ? absl::StrCat("[", host, "]:", port)
                   : absl::StrCat(host, ":", port);
}

void EnvironmentReader::Fail(const char* name, absl::string_view found,
                             absl::string_view expected) {
  status_.Update(absl::InvalidArgumentError(
      absl::StrCat(name, ": found ", Quoted(WithoutSecrets(name, found)),
                   ", expected ", expected)));
}

bool IsMetadata(absl::string_view name, absl::string_view value) {
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        !absl::StrContains("-_.", c)) {
      return false;
    }
  }
  for (const char c : value) {
    if (c < ' ' || c > '~') return false;
  }
  return !name.empty();
}

absl::StatusOr<EnvironmentReport> ApplyEnvironment(
    const Environment& environment, Settings& settings) {
  EnvironmentReader reader(environment);
  reader.ReadAddress("GRPC_HOST", "GRPC_PORT", settings.grpc.address);
  reader.ReadAddress("HOST", "PORT", settings.admin.http_address);
  reader.ReadAddress("DEBUG_HOST", "DEBUG_PORT", settings.admin.debug_address);
  ReadUnixSocket(reader, settings.grpc.address);
  ReadLogLevel(reader, settings.log_level);
  ReadLogFormat(reader, settings.log_format);
  ReadTransport(reader, settings.transport);

  reader.ReadNumber("GRPC_THREADS", 1, 1024, settings.grpc.threads);
  reader.ReadNumber("GRPC_MAX_REQUEST_BYTES", 1024, 64 << 20,
                    settings.grpc.max_request_bytes);
  reader.ReadNumber<size_t>("MAX_CONNECTIONS", 1, 1'000'000,
                            settings.grpc.max_connections);
  reader.ReadNumber<size_t>("MAX_CONNECTIONS_PER_PEER", 1, 1'000'000,
                            settings.grpc.max_connections_per_peer);
  reader.Read("GRPC_MAX_CONNECTION_AGE", settings.grpc.max_connection_age);
  reader.Read("GRPC_MAX_CONNECTION_AGE_GRACE",
              settings.grpc.max_connection_age_grace);
  reader.Read("GRPC_KEEPALIVE_TIME", settings.grpc.keepalive_time);
  reader.Read("GRPC_KEEPALIVE_TIMEOUT", settings.grpc.keepalive_timeout);

  ReadTls(reader, kGrpcTls, settings.grpc.tls);
  ReadTls(reader, kHttpTls, settings.admin.tls);

  reader.Read("LIMIT_RESPONSE_HEADERS_ENABLED", settings.answers.headers);
  reader.ReadHeaderName("LIMIT_LIMIT_HEADER", settings.answers.limit_header);
  reader.ReadHeaderName("LIMIT_REMAINING_HEADER",
                        settings.answers.remaining_header);
  reader.ReadHeaderName("LIMIT_RESET_HEADER", settings.answers.reset_header);
  reader.Read("RESPONSE_DYNAMIC_METADATA", settings.answers.dynamic_metadata);

  ReadForwardAuth(reader, settings.admin.forward_auth);

  reader.ReadNumber<size_t>("MAX_COUNTERS", 1, size_t{1} << 31,
                            settings.max_counters);
  reader.ReadNumber<size_t>("MAX_COUNTER_BYTES", size_t{1} << 20,
                            size_t{1} << 40, settings.max_counter_bytes);
  reader.ReadNumber("REPLICAS", 1, 10'000, settings.replicas);
  reader.Read("DRAIN_DELAY", settings.drain_delay);
  reader.Read("DRAIN_TIME", settings.drain_time);

  ReadRedisSettings(reader, settings.redis);
  settings.xds = ReadXdsSettings(reader);
  settings.ready_with = ReadReadyWith(reader, settings.xds.has_value());
  settings.trace = ReadTraceSettings(reader);
  settings.decisions = ReadDecisionModes(reader);
  settings.stats = ReadStatsSettings(reader);

  ReadFolder(reader, settings);
  CheckIgnoredVariables(reader);
  if (!reader.status().ok()) return reader.status();
  return EnvironmentReport{.shown = reader.shown(),
                           .warnings = reader.warnings()};
}

}  // namespace rls
