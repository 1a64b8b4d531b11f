#ifndef RLS_CONFIG_YAML_READER_H_
#define RLS_CONFIG_YAML_READER_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "config/load.h"
#include "config/yaml_tree.h"

namespace rls {

// The integers of YAML 1.1: 10, 010, 0x10, 1_000. Nullopt for any other text.
std::optional<int64_t> ParseYamlInteger(absl::string_view text);

// Sorts errors or warnings by line.
void SortByLine(std::vector<ConfigError>& errors);

// Reads the scalars of one file and collects all errors and warnings.
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

  // Adds a warning: the file loads, but a part of it has no effect. Only the
  // first kMaxConfigErrors warnings are kept.
  void Warn(const YamlNode& where, absl::string_view text) {
    WarnAt(where.line(), text);
  }
  void WarnAt(int line, absl::string_view text);

  // From now on maps take the mistakes that envoyproxy/ratelimit takes, with a
  // warning: a repeated key, of which the last one counts, and a key of `known`
  // in a map where it has no meaning. `known` must outlive the reader.
  void TakeMistakes(absl::Span<const absl::string_view> known) {
    takes_mistakes_ = true;
    known_ = known;
  }
  bool takes_mistakes() const { return takes_mistakes_; }
  bool IsKnown(absl::string_view key) const;

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
  // All warnings, in line order. An alias repeats none.
  std::vector<ConfigError> TakeWarnings();

 private:
  std::optional<std::string> Expand(const YamlNode& node);

  const std::string origin_;
  const Environment* const environment_;
  const std::atomic<bool>* const stop_;
  bool takes_mistakes_ = false;
  absl::Span<const absl::string_view> known_;
  std::vector<ConfigError> errors_;
  std::vector<ConfigError> warnings_;
};

}  // namespace rls

#endif  // RLS_CONFIG_YAML_READER_H_
