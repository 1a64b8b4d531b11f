#include "app/stats_settings.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/environment.h"
#include "base/log.h"
#include "base/text.h"

namespace rls {
namespace {

// Reads ":9090" or "host:port".
void ReadListenAddress(EnvironmentReader& reader, const char* name,
                       std::string& into) {
  const auto text = reader.Text(name);
  if (!text.has_value()) return;
  const size_t colon = text->rfind(':');
  int port = -1;
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(text->substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    reader.Fail(name, *text, ":PORT or HOST:PORT");
    return;
  }
  into = colon == 0 ? absl::StrCat("[::]", *text) : *text;
}

std::optional<PrometheusOptions> ReadPrometheus(EnvironmentReader& reader) {
  bool use = false;
  reader.Read("USE_PROMETHEUS", use);
  PrometheusOptions options;
  ReadListenAddress(reader, "PROMETHEUS_ADDR", options.address);
  reader.Read("PROMETHEUS_PATH", options.path);
  if (!absl::StartsWith(options.path, "/")) {
    reader.Fail("PROMETHEUS_PATH", options.path, "a path such as /metrics");
  }
  reader.Read("PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS",
              options.in_milliseconds);
  if (!use) return std::nullopt;
  return options;
}

// Reads "key:value,key:value". A name must not end the line or the tag.
void ReadTags(EnvironmentReader& reader, StatsdTags& tags) {
  const char* const name = "EXTRA_TAGS";
  const auto text = reader.Text(name);
  if (!text.has_value()) return;
  for (const absl::string_view pair : absl::StrSplit(*text, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(pair, absl::MaxSplits(':', 1));
    const absl::string_view key = absl::StripAsciiWhitespace(parts.first);
    if (key.empty() || pair.find(':') == pair.npos || HasControls(pair) ||
        pair.find('|') != pair.npos) {
      reader.Fail(name, *text, "key:value,key:value");
      return;
    }
    tags.emplace_back(key, absl::StripAsciiWhitespace(parts.second));
  }
}

// Kubernetes sets STATSD_PORT=tcp://10.0.0.1:8125 if there is a service named
// statsd. This is no setting.
void ReadPort(EnvironmentReader& reader, uint16_t& into) {
  const char* const name = "STATSD_PORT";
  const auto text = reader.Text(name);
  if (!text.has_value() || text->find("://") != std::string::npos) return;
  int port = into;
  reader.ReadNumber(name, 1, 65535, port);
  into = static_cast<uint16_t>(port);
}

std::optional<StatsdOptions> ReadStatsd(EnvironmentReader& reader) {
  StatsdOptions options;
  reader.Read("STATSD_HOST", options.server.host);
  ReadPort(reader, options.server.port);
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

float ReadNearLimitRatio(EnvironmentReader& reader, float ratio) {
  const char* const name = "NEAR_LIMIT_RATIO";
  const auto text = reader.Text(name);
  if (!text.has_value()) return ratio;
  float parsed = 0;
  if (!absl::SimpleAtof(*text, &parsed) || !(parsed >= 0 && parsed <= 1)) {
    reader.Fail(name, *text, "a number from 0 to 1");
    return ratio;
  }
  return parsed;
}

}  // namespace

StatsSettings ReadStatsSettings(EnvironmentReader& reader) {
  StatsSettings settings;
  settings.prometheus = ReadPrometheus(reader);
  settings.statsd = ReadStatsd(reader);
  settings.options.near_limit_ratio =
      ReadNearLimitRatio(reader, settings.options.near_limit_ratio);
  reader.Read("PROMETHEUS_MAPPER_YAML", settings.mapper_file);
  settings.has_mogrifiers =
      reader.Text("USE_DOG_STATSD_MOGRIFIERS").has_value();
  bool is_disabled = false;
  reader.Read("DISABLE_STATS", is_disabled);
  if (is_disabled) {
    settings.prometheus.reset();
    settings.statsd.reset();
  }
  return settings;
}

void LogStatsSettings(const StatsSettings& settings) {
  std::error_code ignored;
  if (settings.prometheus.has_value() && !settings.mapper_file.empty() &&
      std::filesystem::exists(settings.mapper_file, ignored)) {
    LogWarning(absl::StrCat("PROMETHEUS_MAPPER_YAML: the file ",
                            Quoted(settings.mapper_file),
                            " has no effect; metrics always have the labels "
                            "domain, key1 and key2"));
  }
  if (settings.has_mogrifiers) {
    LogWarning("USE_DOG_STATSD_MOGRIFIERS has no effect");
  }
}

}  // namespace rls
