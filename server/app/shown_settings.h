#ifndef RLS_APP_SHOWN_SETTINGS_H_
#define RLS_APP_SHOWN_SETTINGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/load.h"

namespace rls {

// A setting in force, for --print-settings.
struct ShownSetting {
  std::string value;
  std::string origin;  // "default", "environment variable", "flag", ...
};

// By the name of the flag, if it is given; otherwise by that of the variable.
using ShownSettings = std::map<std::string, ShownSetting>;

// The value of the setting `name` as the output and errors show it: "***" for a
// secret, without the user and the password of a URL, and without the path of
// an endpoint of OpenTelemetry, which may hold a token.
std::string WithoutSecrets(absl::string_view name, absl::string_view value);

// The output of --print-settings: one line `NAME = value (origin)` for each
// setting, sorted by name. Secrets and passwords in URLs are masked.
std::string SettingsText(const ShownSettings& settings);

// `redis:` of the first file below `paths` that has it. Files with errors are
// skipped: they end the start of the server, not the output.
RedisPlace RedisOfFiles(const std::vector<std::string>& paths,
                        const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_SHOWN_SETTINGS_H_
