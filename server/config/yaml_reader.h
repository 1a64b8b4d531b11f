#ifndef RLS_CONFIG_YAML_READER_H_
#define RLS_CONFIG_YAML_READER_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/load.h"
#include "config/yaml_tree.h"

namespace rls {

// The integers of YAML 1.1: 10, 010, 0x10, 1_000. Nullopt for any other text.
std::optional<int64_t> ParseYamlInteger(absl::string_view text);

// Reads the scalars of one file and collects all errors.
class YamlReader {
 public:
  // Null `environment`: `${NAME}` is not expanded. `stop` may be null.
  YamlReader(absl::string_view origin, const Environment* environment,
             const std::atomic<bool>* stop)
      : origin_(origin), environment_(environment), stop_(stop) {}

  void Fail(const YamlNode& where, absl::string_view text) {
    FailAt(where.line(), text);
  }
  // `line` is 0 if the error has no single line. Only the first
  // kMaxConfigErrors errors are kept.
  void FailAt(int line, absl::string_view text);

  // "`what`: found X, expected Y".
  void Unexpected(const YamlNode& node, absl::string_view what,
                  absl::string_view expected);

  // The text of a scalar, with or without quotes.
  std::optional<std::string> Text(const YamlNode& node, absl::string_view what);
  // Text that is not empty and has no control characters, so it can be used in
  // a log line or a header.
  std::optional<std::string> Name(const YamlNode& node, absl::string_view what);
  // A whole number without quotes, in any form of YAML 1.1: 10, 010, 0x10,
  // 1_000.
  std::optional<int64_t> Integer(const YamlNode& node, absl::string_view what,
                                 int64_t least, int64_t most);
  std::optional<bool> Boolean(const YamlNode& node, absl::string_view what);
  // The index of the word in `words`. The error for any other word suggests the
  // most similar word.
  std::optional<size_t> Word(const YamlNode& node, absl::string_view what,
                             const std::vector<absl::string_view>& words);

  // The value of an environment variable. An unset variable is an error.
  std::optional<std::string> Variable(const YamlNode& node,
                                      const std::string& name);

  // True if no further error is kept, or reading must end early.
  bool IsDone() const {
    return errors_.size() > kMaxConfigErrors || (stop_ != nullptr && *stop_);
  }

  // All errors, in line order.
  std::vector<ConfigError> TakeErrors();

 private:
  std::optional<std::string> Expand(const YamlNode& node);

  const std::string origin_;
  const Environment* const environment_;
  const std::atomic<bool>* const stop_;
  std::vector<ConfigError> errors_;
};

}  // namespace rls

#endif  // RLS_CONFIG_YAML_READER_H_
