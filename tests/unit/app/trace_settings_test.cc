#include "app/trace_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/settings.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::Pair;

using Variables = std::map<std::string, std::string>;

absl::StatusOr<CommandLine> Read(const Variables& variables) {
  const char* const arguments[] = {"ratelimitd", "--config", "rules"};
  return ReadCommandLine(
      3, arguments, [&](const std::string& name) -> std::optional<std::string> {
        const auto it = variables.find(name);
        if (it == variables.end()) return std::nullopt;
        return it->second;
      });
}

TracerOptions MustRead(Variables variables) {
  variables.emplace("TRACING_ENABLED", "true");
  const auto line = Read(variables);
  EXPECT_TRUE(line.ok()) << line.status();
  if (!line.ok()) return {};
  return line->settings.trace.value();
}

std::string MustFail(Variables variables) {
  variables.emplace("TRACING_ENABLED", "true");
  const auto line = Read(variables);
  EXPECT_TRUE(absl::IsInvalidArgument(line.status())) << line.status();
  return std::string(line.status().message());
}

TEST(TraceSettingsTest, NothingIsTracedByDefault) {
  EXPECT_FALSE(Read({}).value().settings.trace.has_value());
  // Variables of OpenTelemetry are often set for all programs of a pod.
  EXPECT_FALSE(Read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "no URL at all"}})
                   .value()
                   .settings.trace.has_value());
}

TEST(TraceSettingsTest, TheDefaultsAreThoseOfOpenTelemetry) {
  const TracerOptions options = MustRead({});
  EXPECT_EQ(options.sampling_rate, 1);
  EXPECT_TRUE(options.formats.w3c);
  EXPECT_TRUE(options.formats.b3);
  EXPECT_EQ(options.otlp.timeout, absl::Seconds(10));
  EXPECT_THAT(
      options.resource,
      ElementsAre(Pair("service.name", "RateLimit"),
                  Pair("service.instance.id",
                       MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-"
                                    "[89ab][0-9a-f]{3}-[0-9a-f]{12}"))));
}

TEST(TraceSettingsTest, TheEndpointAndTheProtocolMakeTheTarget) {
  const char* const of_all = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const char* const of_traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const std::pair<std::string, std::string> grpc = {"TRACING_EXPORTER_PROTOCOL",
                                                    "grpc"};
  const std::pair<std::string, std::string> http = {"TRACING_EXPORTER_PROTOCOL",
                                                    "http"};
  const std::pair<std::string, std::string> insecure = {
      "OTEL_EXPORTER_OTLP_INSECURE", "true"};
  const struct {
    Variables variables;
    const char* target;  // "grpc" or "grpcs" and the address, or the URL
  } cases[] = {
      {{}, "http://localhost:4318/v1/traces"},
      {{grpc}, "grpc localhost:4317"},
      {{{of_all, "http://a:1"}}, "http://a:1/v1/traces"},
      {{{of_all, "https://a/b/"}}, "https://a/b/v1/traces"},
      {{{of_traces, "http://a:1/own"}}, "http://a:1/own"},
      {{{of_traces, "http://a:1"}, {of_all, "http://b"}}, "http://a:1"},
      {{grpc, {of_all, "http://a:1"}}, "grpc a:1"},
      {{grpc, {of_all, "https://a:1/ignored"}}, "grpcs a:1"},
      {{grpc, {of_all, "http://a"}}, "grpc a:4317"},
      {{grpc, {of_all, "a:1"}}, "grpcs a:1"},
      {{grpc, insecure, {of_all, "a:1"}}, "grpc a:1"},
      {{grpc, insecure, {of_all, "https://a:1"}}, "grpcs a:1"},
      {{grpc, {of_all, "http://[::1]:1"}}, "grpc [::1]:1"},
      {{grpc, {of_all, "http://[::1]"}}, "grpc [::1]:4317"},
      // Envoy Gateway: the port of gRPC, and no protocol.
      {{{of_all, "http://a:4317"}}, "grpc a:4317"},
      {{http, {of_all, "http://a:4317"}}, "http://a:4317/v1/traces"},
      {{{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}}, "grpc localhost:4317"},
      {{http, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
       "http://localhost:4318/v1/traces"},
      {{{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
       "http://localhost:4318/v1/traces"},
  };
  for (const auto& test : cases) {
    const OtlpOptions otlp = MustRead(test.variables).otlp;
    const std::string scheme = otlp.protocol == OtlpProtocol::kHttp ? ""
                               : otlp.use_tls                       ? "grpcs "
                                                                    : "grpc ";
    EXPECT_EQ(scheme + otlp.endpoint, test.target);
  }
}

TEST(TraceSettingsTest, AProtocolThatIsGuessedIsNamedInTheLog) {
  Variables variables = {
      {"TRACING_ENABLED", "true"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"},
  };
  EXPECT_THAT(Read(variables).value().warnings,
              ElementsAre(HasSubstr("spans are sent over gRPC")));
  variables["TRACING_EXPORTER_PROTOCOL"] = "grpc";
  EXPECT_THAT(Read(variables).value().warnings, ElementsAre());
  EXPECT_THAT(Read({{"TRACING_ENABLED", "true"}}).value().warnings,
              ElementsAre());
}

TEST(TraceSettingsTest, ReadsTheOtherVariables) {
  const TracerOptions options =
      MustRead({{"TRACING_SERVICE_NAME", "envoy-ratelimit"},
                {"TRACING_SERVICE_NAMESPACE", "gateways"},
                {"TRACING_SERVICE_INSTANCE_ID", "pod-1"},
                {"TRACING_SAMPLING_RATE", "0.6"},
                {"OTEL_RESOURCE_ATTRIBUTES", "a=b%20c, service.name=other"},
                {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20x=,b=c"},
                {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                {"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca"},
                {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "certificate"},
                {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "key"},
                {"OTEL_PROPAGATORS", "tracecontext,baggage"},
                {"OTEL_BSP_SCHEDULE_DELAY", "100"},
                {"OTEL_BSP_MAX_QUEUE_SIZE", "20"}});
  EXPECT_THAT(
      options.resource,
      ElementsAre(Pair("a", "b c"), Pair("service.name", "envoy-ratelimit"),
                  Pair("service.namespace", "gateways"),
                  Pair("service.instance.id", "pod-1")));
  EXPECT_EQ(options.sampling_rate, 0.6);
  EXPECT_THAT(options.otlp.headers,
              ElementsAre(Pair("authorization", "Basic x="), Pair("b", "c")));
  EXPECT_EQ(options.otlp.timeout, absl::Milliseconds(2500));
  EXPECT_EQ(options.otlp.ca_file, "ca");
  EXPECT_EQ(options.otlp.certificate_file, "certificate");
  EXPECT_EQ(options.otlp.key_file, "key");
  EXPECT_FALSE(options.formats.b3);
  EXPECT_EQ(options.max_delay, absl::Milliseconds(100));
  EXPECT_EQ(options.max_queue, 20u);
  EXPECT_EQ(options.max_batch, 20u);
}

TEST(TraceSettingsTest, BadValuesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"TRACING_ENABLED", "yes"},
      {"TRACING_SAMPLING_RATE", "1.1"},
      {"TRACING_SAMPLING_RATE", "-0.1"},
      {"TRACING_SAMPLING_RATE", "nan"},
      {"TRACING_EXPORTER_PROTOCOL", "http/protobuf"},
      {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://a"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "a:4318"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:0"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:b"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user@a"},
      {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a b"},
      {"OTEL_EXPORTER_OTLP_INSECURE", "maybe"},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a b=c"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a!=c"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "=c"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a=%ff"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a=%0a"},
      {"OTEL_RESOURCE_ATTRIBUTES", "=b"},
      {"OTEL_PROPAGATORS", "jaeger"},
      {"OTEL_BSP_SCHEDULE_DELAY", "0"},
      {"OTEL_BSP_MAX_QUEUE_SIZE", "0"},
      {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"},
  };
  for (const auto& [name, value] : cases) {
    EXPECT_THAT(MustFail({{name, value}}), HasSubstr(name)) << value;
  }
}

TEST(TraceSettingsTest, AnErrorDoesNotShowSecrets) {
  EXPECT_THAT(
      MustFail({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@a"}}),
      Not(HasSubstr("secret")));
  EXPECT_THAT(MustFail({{"OTEL_EXPORTER_OTLP_HEADERS", "sk-secret"}}),
              Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace rls
