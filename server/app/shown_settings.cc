#include "app/shown_settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/text.h"

namespace rls {
namespace {

constexpr char kMask[] = "***";

// The names decide, so a new secret is masked without a list of its own. Pairs
// for headers and metadata often carry tokens.
bool IsSecretName(absl::string_view name) {
  for (const char* part : {"SECRET", "PASSWORD", "TOKEN"}) {
    if (absl::StrContains(name, part)) return true;
  }
  for (const char* end : {"_AUTH", "_HEADERS", "_METADATA"}) {
    if (absl::EndsWith(name, end)) {
      return name != "RESPONSE_DYNAMIC_METADATA";
    }
  }
  return false;
}

// The length of the scheme of a URL with its "://". A password may have "://",
// too, but the text before it has a colon or another mark then.
size_t SchemeLength(absl::string_view url) {
  const size_t end = url.find("://");
  if (end == url.npos) return 0;
  for (const char c : url.substr(0, end)) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '+') {
      return 0;
    }
  }
  return end + 3;
}

// `value` without the user and the password of a URL.
std::string WithoutCredentials(absl::string_view value) {
  const size_t at = value.rfind('@');
  if (at == value.npos) return std::string(value);
  return absl::StrCat(value.substr(0, std::min(SchemeLength(value), at)), kMask,
                      value.substr(at));
}

// `url` without its path, which often holds the token of a collector.
std::string WithoutPath(const std::string& url) {
  const size_t path = url.find_first_of("/?#", SchemeLength(url));
  if (path == std::string::npos || path + 1 == url.size()) return url;
  return absl::StrCat(url.substr(0, path + 1), kMask);
}

}  // namespace

std::string WithoutSecrets(absl::string_view name, absl::string_view value) {
  if (value.empty()) return "";
  if (IsSecretName(name)) return kMask;
  std::string shown = WithoutCredentials(value);
  return absl::EndsWith(name, "_ENDPOINT") ? WithoutPath(shown) : shown;
}

std::string SettingsText(const ShownSettings& settings) {
  std::string text;
  for (const auto& [name, setting] : settings) {
    const std::string value =
        EscapeControls(WithoutSecrets(name, setting.value));
    absl::StrAppend(&text, name, " = ", value.empty() ? "\"\"" : value, " (",
                    setting.origin, ")\n");
  }
  return text;
}

RedisPlace RedisOfFiles(const std::vector<std::string>& paths,
                        const Environment& environment) {
  for (const std::string& path : paths) {
    const auto files = ListFiles(path);
    if (!files.ok()) continue;
    for (const std::string& file : *files) {
      const auto text = ReadFile(file, kMaxConfigBytes);
      if (!text.ok()) continue;
      LoadedFile loaded = LoadConfig(*text, file, environment);
      if (!loaded.redis.url.empty()) return loaded.redis;
    }
  }
  return {};
}

}  // namespace rls
