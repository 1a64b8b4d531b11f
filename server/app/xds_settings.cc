#include "app/xds_settings.h"

#include <string>
#include <utility>

#include "app/environment.h"

namespace rls {
namespace {

void ReadTls(EnvironmentReader& reader, XdsOptions& options) {
  bool use_tls = false;
  reader.Read("CONFIG_GRPC_XDS_SERVER_USE_TLS", use_tls);
  TlsOptions tls;
  reader.Read("CONFIG_GRPC_XDS_SERVER_TLS_CACERT", tls.ca_file);
  reader.Read("CONFIG_GRPC_XDS_CLIENT_TLS_CERT", tls.certificate_file);
  reader.Read("CONFIG_GRPC_XDS_CLIENT_TLS_KEY", tls.key_file);
  reader.Read("CONFIG_GRPC_XDS_SERVER_TLS_SAN", tls.server_name);
  if (use_tls) options.tls = std::move(tls);
}

void ReadBackoff(EnvironmentReader& reader, XdsOptions& options) {
  reader.Read("XDS_CLIENT_BACKOFF_INITIAL_INTERVAL", options.backoff_initial);
  reader.Read("XDS_CLIENT_BACKOFF_MAX_INTERVAL", options.backoff_max);
  reader.ReadFraction("XDS_CLIENT_BACKOFF_RANDOM_FACTOR",
                      options.backoff_random_factor);
  bool jitter = true;
  reader.Read("XDS_CLIENT_BACKOFF_JITTER", jitter);
  if (!jitter) options.backoff_random_factor = 0;
}

}  // namespace

std::optional<XdsOptions> ReadXdsSettings(EnvironmentReader& reader) {
  std::string type = "FILE";
  reader.Read("CONFIG_TYPE", type);
  XdsOptions options;
  if (type == "GRPC_XDS_DELTA") {
    options.protocol = XdsProtocol::kDelta;
  } else if (type != "FILE" && type != "GRPC_XDS_SOTW") {
    reader.Fail("CONFIG_TYPE", type, "FILE, GRPC_XDS_SOTW or GRPC_XDS_DELTA");
  }
  reader.Read("CONFIG_GRPC_XDS_SERVER_URL", options.server);
  reader.Read("CONFIG_GRPC_XDS_NODE_ID", options.node_id);
  reader.ReadPairs("CONFIG_GRPC_XDS_NODE_METADATA", {.is_secret = true},
                   options.node_metadata);
  reader.ReadPairs("CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS",
                   {.separator = ':',
                    .expected = "name:value,name:value",
                    .is_secret = true},
                   options.headers);
  for (const auto& [name, value] : options.headers) {
    if (IsMetadata(name, value)) continue;
    reader.Fail("CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS", "another form",
                "names of letters, digits, - _ and ., and printable values");
  }
  ReadTls(reader, options);
  ReadBackoff(reader, options);
  reader.ReadNumber<size_t>("XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES", 1024,
                            size_t{1} << 30, options.max_response_bytes);
  if (type == "FILE") return std::nullopt;
  return options;
}

}  // namespace rls
