#ifndef RLS_APP_SHOWN_SETTINGS_H_
#define RLS_APP_SHOWN_SETTINGS_H_

#include <map>
#include <string>
#include <vector>

#include "config/load.h"

namespace rls {

// A setting in force, for --print-settings.
struct ShownSetting {
  std::string value;
  std::string origin;  // "default", "environment variable", "flag", ...
};

// By the name of the flag, if it is given; otherwise by that of the variable.
using ShownSettings = std::map<std::string, ShownSetting>;

// The output of --print-settings: one line `NAME = value (origin)` for each
// setting, sorted by name. Secrets and passwords in URLs are masked.
std::string SettingsText(const ShownSettings& settings);

// `redis:` of the first file below `paths` that has it. Files with errors are
// skipped: they end the start of the server, not the output.
RedisPlace RedisOfFiles(const std::vector<std::string>& paths,
                        const Environment& environment);

}  // namespace rls

#endif  // RLS_APP_SHOWN_SETTINGS_H_
