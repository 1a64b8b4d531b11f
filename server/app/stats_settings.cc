#include "app/stats_settings.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "app/environment.h"
#include "base/text.h"

namespace rls {
namespace {

// The default is that of envoyproxy/ratelimit, in its form.
void ReadListenAddress(EnvironmentReader& reader, std::string& into) {
  const char* const name = "PROMETHEUS_ADDR";
  std::string text = ":9090";
  reader.Read(name, text);
  const size_t colon = text.rfind(':');
  int port = -1;
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    reader.Fail(name, text, ":PORT or HOST:PORT");
    return;
  }
  into = colon == 0 ? absl::StrCat("[::]", text) : text;
}

std::optional<PrometheusOptions> ReadPrometheus(EnvironmentReader& reader) {
  bool use = false;
  reader.Read("USE_PROMETHEUS", use);
  PrometheusOptions options;
  ReadListenAddress(reader, options.address);
  reader.Read("PROMETHEUS_PATH", options.path);
  if (!absl::StartsWith(options.path, "/")) {
    reader.Fail("PROMETHEUS_PATH", options.path, "a path such as /metrics");
  }
  reader.Read("PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS",
              options.in_milliseconds);
  if (!use) return std::nullopt;
  return options;
}

// A tag must not end its line or begin another tag.
void ReadTags(EnvironmentReader& reader, StatsdTags& tags) {
  const char* const name = "EXTRA_TAGS";
  const PairFormat format = {.separator = ':',
                             .expected = "key:value,key:value"};
  reader.ReadPairs(name, format, tags);
  for (const auto& [key, value] : tags) {
    const std::string tag = absl::StrCat(key, ":", value);
    if (HasControls(tag) || absl::StrContains(tag, '|')) {
      reader.Fail(name, tag, format.expected);
    }
  }
}

std::optional<StatsdOptions> ReadStatsd(EnvironmentReader& reader) {
  StatsdOptions options;
  reader.Read("STATSD_HOST", options.server.host);
  int port = options.server.port;
  reader.ReadNumber("STATSD_PORT", 1, 65535, port);
  options.server.port = static_cast<uint16_t>(port);
  ReadTags(reader, options.tags);
  const char* const interval_name = "STATS_FLUSH_INTERVAL";
  reader.Read(interval_name, options.interval);
  if (options.interval < absl::Milliseconds(10)) {
    reader.Fail(interval_name, absl::FormatDuration(options.interval),
                "a duration of at least 10ms");
  }
  reader.Read("USE_DOG_STATSD", options.is_dog);
  // envoyproxy/ratelimit sends to localhost by default. Here a host, or the
  // switch itself, must be set.
  bool use_statsd = reader.Text("STATSD_HOST").has_value() && !options.is_dog;
  reader.Read("USE_STATSD", use_statsd);
  if (use_statsd && options.is_dog) {
    reader.Fail("USE_DOG_STATSD", "true", "false, because USE_STATSD is true");
  }
  if (!use_statsd && !options.is_dog) return std::nullopt;
  return options;
}

// A file that does not exist is as none: manifests often name one.
void WarnOfMapper(EnvironmentReader& reader, bool use_prometheus) {
  std::string file;
  reader.Read("PROMETHEUS_MAPPER_YAML", file);
  std::error_code ignored;
  if (!use_prometheus || file.empty() ||
      !std::filesystem::exists(file, ignored)) {
    return;
  }
  reader.Warn(absl::StrCat("PROMETHEUS_MAPPER_YAML: the file ", Quoted(file),
                           " has no effect; metrics always have the labels "
                           "domain, key1 and key2"));
}

}  // namespace

StatsSettings ReadStatsSettings(EnvironmentReader& reader) {
  StatsSettings settings;
  settings.prometheus = ReadPrometheus(reader);
  settings.statsd = ReadStatsd(reader);
  double near_limit_ratio = settings.options.near_limit_ratio;
  reader.ReadFraction("NEAR_LIMIT_RATIO", near_limit_ratio);
  settings.options.near_limit_ratio = static_cast<float>(near_limit_ratio);
  if (reader.Text("USE_DOG_STATSD_MOGRIFIERS").has_value()) {
    reader.Warn("USE_DOG_STATSD_MOGRIFIERS has no effect");
  }
  bool is_disabled = false;
  reader.Read("DISABLE_STATS", is_disabled);
  if (is_disabled) {
    settings.prometheus.reset();
    settings.statsd.reset();
  }
  WarnOfMapper(reader, settings.prometheus.has_value());
  return settings;
}

}  // namespace rls
