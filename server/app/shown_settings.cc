#include "app/shown_settings.h"

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

// `value` without the user and the password of a URL.
std::string WithoutCredentials(const std::string& value) {
  const size_t at = value.rfind('@');
  if (at == std::string::npos) return value;
  const size_t scheme = value.find("://");
  const size_t begin = scheme < at ? scheme + 3 : 0;
  return absl::StrCat(value.substr(0, begin), kMask, value.substr(at));
}

std::string ShownValue(const std::string& name, const std::string& value) {
  if (value.empty()) return "\"\"";
  if (IsSecretName(name)) return kMask;
  return EscapeControls(WithoutCredentials(value));
}

}  // namespace

std::string SettingsText(const ShownSettings& settings) {
  std::string text;
  for (const auto& [name, setting] : settings) {
    absl::StrAppend(&text, name, " = ", ShownValue(name, setting.value), " (",
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
