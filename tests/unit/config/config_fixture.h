#ifndef RLS_TESTS_UNIT_CONFIG_CONFIG_FIXTURE_H_
#define RLS_TESTS_UNIT_CONFIG_CONFIG_FIXTURE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "config/load.h"
#include "gtest/gtest.h"

// Loads the configuration text of one file, f.yaml.

namespace rls {

// The environment variables that `${NAME}` refers to.
inline std::map<std::string, std::string>& Variables() {
  static auto* const variables = new std::map<std::string, std::string>;
  return *variables;
}

inline LoadedFile Load(const std::string& yaml) {
  return LoadConfig(yaml, "f.yaml",
                    [](const std::string& name) -> std::optional<std::string> {
                      const auto it = Variables().find(name);
                      if (it == Variables().end()) return std::nullopt;
                      return it->second;
                    });
}

inline std::string ErrorsOf(const std::string& yaml) {
  std::vector<std::string> lines;
  for (const ConfigError& error : Load(yaml).errors) {
    lines.push_back(error.ToString());
  }
  return absl::StrJoin(lines, "\n");
}

inline std::string WarningsOf(const std::string& yaml) {
  std::vector<std::string> lines;
  for (const ConfigError& warning : Load(yaml).warnings) {
    lines.push_back(warning.ToString());
  }
  return absl::StrJoin(lines, "\n");
}

inline DomainSpec MustLoad(const std::string& yaml) {
  LoadedFile file = Load(yaml);
  EXPECT_EQ(ErrorsOf(yaml), "");
  return file.domain.value_or(DomainSpec());
}

}  // namespace rls

#endif  // RLS_TESTS_UNIT_CONFIG_CONFIG_FIXTURE_H_
