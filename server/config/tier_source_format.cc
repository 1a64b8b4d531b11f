#include "config/tier_source_format.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace rls {
namespace {

constexpr char kSource[] = "user_tier_source";
constexpr char kUser[] = "{user_id}";

// A drain waits for running lookups, so an HTTP request must have a bound.
constexpr absl::Duration kMaxTimeout = absl::Seconds(10);
constexpr absl::Duration kMaxTtl = absl::Hours(7 * 24);
constexpr int64_t kMaxCached = 10'000'000;
constexpr int64_t kMaxConcurrent = 1000;

// Returns the expectation that the URL violates, "" if it is valid. The host
// must not contain {user_id}: a user must not be able to choose the host.
std::string FaultOf(absl::string_view url) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "https://") &&
      !absl::ConsumePrefix(&rest, "http://")) {
    return "a URL that begins with https:// or http://";
  }
  const absl::string_view host = rest.substr(0, rest.find_first_of("/?#"));
  if (host.empty() || host.find_first_of("{}@\\") != host.npos) {
    return "a URL with a plain host, without user, password or {user_id}";
  }
  if (!absl::StrContains(rest, kUser)) {
    return "a URL with {user_id} in its path or query";
  }
  const bool has_odd = std::any_of(url.begin(), url.end(), [](char byte) {
    const auto value = static_cast<unsigned char>(byte);
    return !absl::ascii_isgraph(value) || byte == '#';
  });
  if (has_odd) return "a URL without spaces, fragment or bytes beyond ASCII";
  return "";
}

void ReadUrl(YamlReader& reader, const YamlNode& node, std::string& into) {
  std::optional<std::string> url = reader.Text(node, kSource);
  if (!url.has_value()) return;
  if (const std::string fault = FaultOf(*url); !fault.empty()) {
    // The error does not show the URL, which may contain a secret.
    reader.Fail(node, absl::StrCat(kSource, ": expected ", fault));
    return;
  }
  into = *std::move(url);
}

// No error shows the value, which is secret.
void ReadHeaderValue(const YamlMap& map, TierSourceSpec& spec) {
  const YamlNode* value = map.Find("value");
  const YamlNode* variable = map.Find("value_env");
  const YamlNode* file = map.ReadName("value_file", spec.header_file);
  const int given = (value != nullptr ? 1 : 0) + (variable != nullptr ? 1 : 0) +
                    (file != nullptr ? 1 : 0);
  if (given != 1) {
    map.reader().Fail(map.node(),
                      "header: expected one of value_file, value_env, value");
    return;
  }
  if (file != nullptr) return;
  const YamlNode& node = value != nullptr ? *value : *variable;
  std::optional<std::string> text =
      map.reader().Text(node, value != nullptr ? "value" : "value_env");
  if (variable != nullptr && text.has_value()) {
    text = map.reader().Variable(node, *text);
  }
  if (!text.has_value()) return;
  if (text->empty() || HasControls(*text)) {
    map.reader().Fail(node,
                      "header: the value is empty or has control characters");
    return;
  }
  spec.header_value = *std::move(text);
}

void ReadHeader(const YamlMap& source, TierSourceSpec& spec) {
  const YamlNode* node = source.Find("header");
  if (node == nullptr) return;
  if (!node->IsMap()) {
    source.reader().Fail(
        *node, "header: expected a map of name and value_file, or value_env");
    return;
  }
  const YamlMap map(source.reader(), *node, "header",
                    {"name", "value", "value_env", "value_file"});
  if (map.ReadName("name", spec.header_name) == nullptr ||
      !IsHeaderName(spec.header_name)) {
    map.reader().Fail(*node, "header: expected the name of a header as name");
  }
  ReadHeaderValue(map, spec);
}

void ReadMap(YamlReader& reader, const YamlNode& node, TierSourceSpec& spec) {
  const YamlMap map(
      reader, node, kSource,
      {"url", "timeout", "ttl", "stale", "negative_ttl", "max_cached",
       "max_concurrent", "wait", "ask_assigned", "ca_file", "header"});
  if (const YamlNode* url = map.Find("url")) {
    ReadUrl(reader, *url, spec.url);
  } else {
    reader.Fail(node, absl::StrCat(kSource, ": found no url"));
  }
  map.ReadDuration("timeout", absl::Milliseconds(1), kMaxTimeout, spec.timeout);
  map.ReadDuration("ttl", absl::Seconds(1), kMaxTtl, spec.ttl);
  spec.stale = spec.ttl / 2;
  map.ReadDuration("stale", absl::ZeroDuration(), spec.ttl, spec.stale);
  map.ReadDuration("negative_ttl", absl::Seconds(1), kMaxTtl,
                   spec.negative_ttl);
  int64_t cached = static_cast<int64_t>(spec.max_cached);
  map.ReadInteger("max_cached", 1, kMaxCached, cached);
  spec.max_cached = static_cast<size_t>(cached);
  int64_t concurrent = static_cast<int64_t>(spec.max_concurrent);
  map.ReadInteger("max_concurrent", 1, kMaxConcurrent, concurrent);
  spec.max_concurrent = static_cast<size_t>(concurrent);
  map.Read("wait", spec.wait);
  map.Read("ask_assigned", spec.ask_assigned);
  map.ReadName("ca_file", spec.ca_file);
  ReadHeader(map, spec);
}

}  // namespace

std::vector<absl::string_view> WithTierSourceKeys(
    std::vector<absl::string_view> keys) {
  keys.insert(keys.end(), {kSource, "user_tier_timeout", "user_tier_wait"});
  return keys;
}

void ReadTierSource(const YamlMap& file, const YamlMap& rate_limit,
                    std::optional<TierSourceSpec>& into) {
  YamlReader& reader = file.reader();
  const YamlNode* const top = file.Find(kSource);
  const YamlNode* const below = rate_limit.Find(kSource);
  if (top != nullptr && below != nullptr) {
    reader.Fail(*below,
                absl::StrCat(kSource, " is also at the top of the file"));
  }
  const YamlNode* const node = top != nullptr ? top : below;
  if (node == nullptr) {
    for (const YamlMap* map : {&file, &rate_limit}) {
      map->Refuse({"user_tier_timeout", "user_tier_wait"},
                  " requires user_tier_source");
    }
    return;
  }
  TierSourceSpec& spec = into.emplace();
  if (node->IsMap()) {
    ReadMap(reader, *node, spec);
    for (const YamlMap* map : {&file, &rate_limit}) {
      map->Refuse({"user_tier_timeout", "user_tier_wait"},
                  " requires a URL as user_tier_source; this one is a map with "
                  "the keys timeout and wait");
    }
    return;
  }
  ReadUrl(reader, *node, spec.url);
  for (const YamlMap* map : {&file, &rate_limit}) {
    map->ReadDuration("user_tier_timeout", absl::Milliseconds(1), kMaxTimeout,
                      spec.timeout);
    map->Read("user_tier_wait", spec.wait);
  }
}

}  // namespace rls
