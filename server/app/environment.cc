#include "app/environment.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "admin/forward_auth.h"
#include "app/redis_settings.h"
#include "app/stats_settings.h"
#include "app/xds_settings.h"
#include "base/text.h"

namespace rls {
namespace {

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

}  // namespace

std::optional<std::string> EnvironmentReader::Text(const char* name) const {
  std::optional<std::string> value = environment_(name);
  if (value.has_value() && value->empty()) return std::nullopt;
  return value;
}

void EnvironmentReader::Read(const char* name, std::string& into) const {
  if (auto value = Text(name)) into = *std::move(value);
}

void EnvironmentReader::ReadHeaderName(const char* name, std::string& into) {
  const auto value = Text(name);
  if (!value.has_value()) return;
  if (!IsHeaderName(*value)) {
    Fail(name, *value, "the name of a header");
    return;
  }
  into = *value;
}

void EnvironmentReader::Read(const char* name, bool& into) {
  const auto value = Text(name);
  if (!value.has_value()) return;
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (*value == yes) {
      into = true;
      return;
    }
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (*value == no) {
      into = false;
      return;
    }
  }
  Fail(name, *value, "true or false");
}

void EnvironmentReader::Read(const char* name, absl::Duration& into) {
  const auto value = Text(name);
  if (!value.has_value()) return;
  absl::Duration parsed;
  if (!absl::ParseDuration(*value, &parsed) || parsed < absl::ZeroDuration()) {
    Fail(name, *value, "a duration with its unit, such as 30s or 24h");
    return;
  }
  into = parsed;
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
      absl::StrCat(name, ": found ", Quoted(found), ", expected ", expected)));
}

absl::Status ApplyEnvironment(const Environment& environment,
                              Settings& settings) {
  EnvironmentReader reader(environment);
  reader.ReadAddress("GRPC_HOST", "GRPC_PORT", settings.grpc.address);
  reader.ReadAddress("HOST", "PORT", settings.admin.http_address);
  reader.ReadAddress("DEBUG_HOST", "DEBUG_PORT", settings.admin.debug_address);
  reader.Read("LOG_LEVEL", settings.log_level);
  reader.Read("GRPC_TRANSPORT", settings.transport);

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
  reader.Read("DRAIN_TIME", settings.drain_time);

  ReadRedisSettings(reader, settings.redis);
  settings.xds = ReadXdsSettings(reader);
  settings.stats = ReadStatsSettings(reader);

  // The same folder that envoyproxy/ratelimit reads.
  if (const auto root = reader.Text("RUNTIME_ROOT")) {
    std::vector<std::string> parts = {*root};
    if (auto sub = reader.Text("RUNTIME_SUBDIRECTORY")) parts.push_back(*sub);
    parts.push_back(reader.Text("RUNTIME_APPDIRECTORY").value_or("config"));
    settings.config_paths = {absl::StrJoin(parts, "/")};
  }
  return reader.status();
}

}  // namespace rls
