#ifndef RLS_CONFIG_YAML_READER_H_
#define RLS_CONFIG_YAML_READER_H_

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/load.h"

namespace rls {

// Reads scalars of one file and collects every mistake it finds.
class YamlReader {
 public:
  // `environment` may be null: then `${NAME}` is text like any other.
  YamlReader(absl::string_view origin, const Environment* environment)
      : origin_(origin), environment_(environment) {}

  void Fail(const YAML::Node& where, absl::string_view text) {
    Fail(where.Mark(), text);
  }
  void Fail(const YAML::Mark& where, absl::string_view text);

  // "`what`: found X, expected Y".
  void Unexpected(const YAML::Node& node, absl::string_view what,
                  absl::string_view expected);

  // Text as it is written, quoted or not.
  std::optional<std::string> Text(const YAML::Node& node,
                                  absl::string_view what);
  // As Text(), but not empty and without control characters: fit for a name in
  // a log line or a header.
  std::optional<std::string> Name(const YAML::Node& node,
                                  absl::string_view what);
  // A plain whole number in any form of YAML 1.1: 10, 010, 0x10, 1_000.
  std::optional<int64_t> Integer(const YAML::Node& node, absl::string_view what,
                                 int64_t least, int64_t most);
  std::optional<bool> Boolean(const YAML::Node& node, absl::string_view what);
  // The index of the word in `words`; a typo is told with the nearest one.
  std::optional<size_t> Word(const YAML::Node& node, absl::string_view what,
                             const std::vector<absl::string_view>& words);

  // The value of an environment variable; a mistake when there is none.
  std::optional<std::string> Variable(const YAML::Node& node,
                                      const std::string& name);

  // All that was found, in line order.
  std::vector<ConfigError> TakeErrors();

 private:
  std::optional<std::string> Expand(const YAML::Node& node, std::string text);

  const std::string origin_;
  const Environment* const environment_;
  std::vector<ConfigError> errors_;
};

}  // namespace rls

#endif  // RLS_CONFIG_YAML_READER_H_
