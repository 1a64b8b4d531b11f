#include "app/environment_settings.h"

#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "admin/forward_auth_settings.h"
#include "app/environment_reader.h"
#include "app/redis_settings.h"

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

void ReadTls(EnvironmentReader& reader,
             std::optional<ServerTlsOptions>& options) {
  bool use = false;
  reader.Read("GRPC_SERVER_USE_TLS", use);
  ServerTlsOptions tls;
  reader.Read("GRPC_SERVER_TLS_CERT", tls.certificate_file);
  reader.Read("GRPC_SERVER_TLS_KEY", tls.key_file);
  reader.Read("GRPC_CLIENT_TLS_CACERT", tls.client_ca_file);
  reader.Read("GRPC_CLIENT_TLS_SAN", tls.client_name);
  if (use) options = std::move(tls);
}

}  // namespace

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
  reader.Read("GRPC_MAX_CONNECTION_AGE", settings.grpc.max_connection_age);
  reader.Read("GRPC_MAX_CONNECTION_AGE_GRACE",
              settings.grpc.max_connection_age_grace);
  reader.Read("GRPC_KEEPALIVE_TIME", settings.grpc.keepalive_time);
  reader.Read("GRPC_KEEPALIVE_TIMEOUT", settings.grpc.keepalive_timeout);

  ReadTls(reader, settings.grpc.tls);

  reader.Read("LIMIT_RESPONSE_HEADERS_ENABLED", settings.answers.headers);
  reader.ReadHeaderName("LIMIT_LIMIT_HEADER", settings.answers.limit_header);
  reader.ReadHeaderName("LIMIT_REMAINING_HEADER",
                        settings.answers.remaining_header);
  reader.ReadHeaderName("LIMIT_RESET_HEADER", settings.answers.reset_header);
  reader.Read("RESPONSE_DYNAMIC_METADATA", settings.answers.dynamic_metadata);

  ReadForwardAuth(reader, settings.admin.forward_auth);

  reader.ReadNumber<size_t>("MAX_COUNTERS", 1, size_t{1} << 31,
                            settings.max_counters);
  reader.ReadNumber("REPLICAS", 1, 10'000, settings.replicas);
  reader.Read("DRAIN_TIME", settings.drain_time);

  ReadRedisSettings(reader, settings.redis);

  // The folder that envoyproxy/ratelimit would read.
  if (const auto root = reader.Text("RUNTIME_ROOT")) {
    std::vector<std::string> parts = {*root};
    if (auto sub = reader.Text("RUNTIME_SUBDIRECTORY")) parts.push_back(*sub);
    parts.push_back(reader.Text("RUNTIME_APPDIRECTORY").value_or("config"));
    settings.config_paths = {absl::StrJoin(parts, "/")};
  }
  return reader.status();
}

}  // namespace rls
