#include "app/trace_settings.h"

#include <random>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "app/environment.h"
#include "base/text.h"
#include "http/http_request.h"

namespace rls {
namespace {

using Pairs = EnvironmentReader::Pairs;

constexpr int kHttpPort = 4318;
constexpr int kGrpcPort = 4317;
constexpr char kTracesPath[] = "/v1/traces";

// A random UUID, version 4.
std::string NewInstanceId() {
  std::random_device random;
  const uint32_t a = random();
  const uint32_t b = random();
  const uint32_t c = random();
  const uint32_t d = random();
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%04x%08x", a, b >> 16, b & 0xfff,
                         (c >> 16 & 0x3fff) | 0x8000, c & 0xffff, d);
}

// Reads "a=b,c=d" with percent-encoded values.
Pairs ReadPairs(EnvironmentReader& reader, const char* name) {
  Pairs pairs;
  reader.ReadPairs(name, {.skips_empty = true, .is_secret = true}, pairs);
  for (auto& [key, value] : pairs) value = DecodePercent(value);
  return pairs;
}

void ReadHeaders(EnvironmentReader& reader, const char* name, Pairs& into) {
  into = ReadPairs(reader, name);
  for (const auto& [key, value] : into) {
    if (IsMetadata(key, value)) continue;
    reader.Fail(name, "another form",
                "names of letters, digits, - _ and ., and printable values");
  }
}

// The variable of traces, or else the one of all signals.
const char* NameOf(EnvironmentReader& reader, const char* of_traces,
                   const char* of_all) {
  return reader.Text(of_traces).has_value() ? of_traces : of_all;
}

// Where spans go to, as a variable says it.
struct OtlpEndpoint {
  const char* variable = nullptr;  // null: none is set
  bool is_complete = false;        // a URL with the path of traces
  bool has_scheme = false;
  bool is_https = false;
  std::string host_and_port;
  std::string path;
  int port = 0;  // 0: none is named
};

OtlpEndpoint ReadEndpoint(EnvironmentReader& reader) {
  OtlpEndpoint endpoint;
  const char* const of_traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const char* const name =
      NameOf(reader, of_traces, "OTEL_EXPORTER_OTLP_ENDPOINT");
  const auto text = reader.Text(name);
  if (!text.has_value()) return endpoint;
  endpoint.variable = name;
  endpoint.is_complete = name == of_traces;
  absl::string_view rest = *text;
  endpoint.is_https = absl::ConsumePrefix(&rest, "https://");
  endpoint.has_scheme =
      endpoint.is_https || absl::ConsumePrefix(&rest, "http://");
  const size_t slash = std::min(rest.find('/'), rest.size());
  endpoint.host_and_port = std::string(rest.substr(0, slash));
  endpoint.path = std::string(rest.substr(slash));
  const size_t colon = endpoint.host_and_port.rfind(':');
  const bool has_port =
      colon != std::string::npos &&
      endpoint.host_and_port.find(']', colon) == std::string::npos;
  if (absl::StrContains(endpoint.host_and_port, '@') || rest.empty() ||
      slash == 0 || absl::StrContains(rest, "://") || HasControls(rest) ||
      absl::StrContains(rest, ' ') ||
      (has_port && (!absl::SimpleAtoi(endpoint.host_and_port.substr(colon + 1),
                                      &endpoint.port) ||
                    endpoint.port < 1 || endpoint.port > 65535))) {
    reader.Fail(name, *text, "http://HOST:PORT or https://HOST:PORT");
  }
  return endpoint;
}

// Nullopt: no variable names a protocol.
std::optional<OtlpProtocol> ReadProtocol(EnvironmentReader& reader) {
  const char* const ours = "TRACING_EXPORTER_PROTOCOL";
  const char* const names[] = {ours, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                               "OTEL_EXPORTER_OTLP_PROTOCOL"};
  for (const char* const name : names) {
    const auto text = reader.Text(name);
    if (!text.has_value()) continue;
    if (*text == "grpc") return OtlpProtocol::kGrpc;
    if (*text == (name == ours ? "http" : "http/protobuf")) {
      return OtlpProtocol::kHttp;
    }
    reader.Fail(name, *text,
                name == ours ? "http or grpc" : "http/protobuf or grpc");
    return OtlpProtocol::kHttp;
  }
  return std::nullopt;
}

bool UsesTls(EnvironmentReader& reader, const OtlpEndpoint& endpoint) {
  bool is_insecure = endpoint.variable == nullptr;
  reader.Read(NameOf(reader, "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
                     "OTEL_EXPORTER_OTLP_INSECURE"),
              is_insecure);
  return endpoint.has_scheme ? endpoint.is_https : !is_insecure;
}

void ReadTarget(EnvironmentReader& reader, OtlpOptions& options) {
  OtlpEndpoint endpoint = ReadEndpoint(reader);
  const std::optional<OtlpProtocol> protocol = ReadProtocol(reader);
  const bool looks_like_grpc = endpoint.port == kGrpcPort;
  options.protocol = protocol.value_or(looks_like_grpc ? OtlpProtocol::kGrpc
                                                       : OtlpProtocol::kHttp);
  if (looks_like_grpc && !protocol.has_value()) {
    reader.Warn(absl::StrCat(
        "traces: port ", kGrpcPort, " is that of OTLP over gRPC, and no ",
        "variable names the protocol, so spans are sent over gRPC; "
        "TRACING_EXPORTER_PROTOCOL=grpc or http decides it"));
  }
  const bool is_grpc = options.protocol == OtlpProtocol::kGrpc;
  options.use_tls = UsesTls(reader, endpoint);
  if (endpoint.variable == nullptr) endpoint.host_and_port = "localhost";
  if (endpoint.port == 0 && (is_grpc || endpoint.variable == nullptr)) {
    absl::StrAppend(&endpoint.host_and_port, ":",
                    is_grpc ? kGrpcPort : kHttpPort);
  }
  if (is_grpc) {
    options.endpoint = endpoint.host_and_port;
    return;
  }
  if (endpoint.variable != nullptr && !endpoint.has_scheme) {
    reader.Fail(endpoint.variable, endpoint.host_and_port,
                "http://HOST:PORT or https://HOST:PORT");
  }
  if (!endpoint.is_complete) {
    endpoint.path =
        absl::StrCat(absl::StripSuffix(endpoint.path, "/"), kTracesPath);
  }
  options.endpoint = absl::StrCat(options.use_tls ? "https://" : "http://",
                                  endpoint.host_and_port, endpoint.path);
}

// Milliseconds, as OpenTelemetry says.
void ReadMilliseconds(EnvironmentReader& reader, const char* name,
                      absl::Duration& into) {
  int64_t milliseconds = absl::ToInt64Milliseconds(into);
  reader.ReadNumber<int64_t>(name, 1, 3'600'000, milliseconds);
  into = absl::Milliseconds(milliseconds);
}

void ReadOtlp(EnvironmentReader& reader, OtlpOptions& options) {
  ReadTarget(reader, options);
  ReadHeaders(reader,
              NameOf(reader, "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                     "OTEL_EXPORTER_OTLP_HEADERS"),
              options.headers);
  ReadMilliseconds(reader,
                   NameOf(reader, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                          "OTEL_EXPORTER_OTLP_TIMEOUT"),
                   options.timeout);
  reader.Read(NameOf(reader, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                     "OTEL_EXPORTER_OTLP_CERTIFICATE"),
              options.ca_file);
  reader.Read(NameOf(reader, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
                     "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
              options.certificate_file);
  reader.Read(NameOf(reader, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
                     "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
              options.key_file);
}

void ReadPropagators(EnvironmentReader& reader, TraceFormats& formats) {
  const char* const name = "OTEL_PROPAGATORS";
  const auto text = reader.Text(name);
  if (!text.has_value()) return;
  formats = {.w3c = false, .b3 = false};
  for (absl::string_view format : absl::StrSplit(*text, ',')) {
    format = absl::StripAsciiWhitespace(format);
    if (format == "tracecontext") {
      formats.w3c = true;
    } else if (format == "b3" || format == "b3multi") {
      formats.b3 = true;
    } else if (format != "baggage" && format != "none") {
      reader.Fail(name, *text, "tracecontext, b3, b3multi, baggage or none");
    }
  }
}

void ReadBatches(EnvironmentReader& reader, TracerOptions& options) {
  ReadMilliseconds(reader, "OTEL_BSP_SCHEDULE_DELAY", options.max_delay);
  reader.ReadNumber<size_t>("OTEL_BSP_MAX_QUEUE_SIZE", 1, 100'000,
                            options.max_queue);
  options.max_batch = std::min(options.max_batch, options.max_queue);
  reader.ReadNumber<size_t>("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1,
                            options.max_queue, options.max_batch);
}

// Of two attributes with the same key, the later one holds.
void SetAttribute(absl::string_view key, std::string value, Pairs& into) {
  for (auto& [present, old] : into) {
    if (present != key) continue;
    old = std::move(value);
    return;
  }
  into.emplace_back(key, std::move(value));
}

}  // namespace

std::optional<TracerOptions> ReadTraceSettings(EnvironmentReader& reader) {
  bool is_enabled = false;
  reader.Read("TRACING_ENABLED", is_enabled);
  TracerOptions options;
  reader.ReadFraction("TRACING_SAMPLING_RATE", options.sampling_rate);
  std::string service = "RateLimit";
  reader.Read("TRACING_SERVICE_NAME", service);
  const auto space = reader.Text("TRACING_SERVICE_NAMESPACE");
  const auto instance = reader.Text("TRACING_SERVICE_INSTANCE_ID");
  if (!is_enabled) {
    (void)ReadProtocol(reader);  // for its error
    return std::nullopt;
  }
  for (auto& [key, value] : ReadPairs(reader, "OTEL_RESOURCE_ATTRIBUTES")) {
    SetAttribute(key, std::move(value), options.resource);
  }
  SetAttribute("service.name", service, options.resource);
  if (space.has_value()) {
    SetAttribute("service.namespace", *space, options.resource);
  }
  SetAttribute("service.instance.id",
               instance.has_value() ? *instance : NewInstanceId(),
               options.resource);
  ReadOtlp(reader, options.otlp);
  ReadPropagators(reader, options.formats);
  ReadBatches(reader, options);
  return options;
}

}  // namespace rls
