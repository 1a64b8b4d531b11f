#include "config/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace rls {
namespace {

std::string Found(const YamlNode& node) {
  if (node.IsScalar()) return Quoted(node.Scalar());
  if (node.IsSequence()) return "a list";
  return node.IsMap() ? "a map" : "nothing";
}

bool IsUnquoted(const YamlNode& node) {
  return node.IsScalar() && !node.IsQuoted();
}

}  // namespace

std::optional<int64_t> ParseYamlInteger(absl::string_view text) {
  const std::string digits = absl::StrReplaceAll(text, {{"_", ""}});
  absl::string_view rest = digits;
  const bool negative = absl::ConsumePrefix(&rest, "-");
  if (!negative) absl::ConsumePrefix(&rest, "+");
  if (rest.empty() ||
      !absl::ascii_isdigit(static_cast<unsigned char>(rest[0]))) {
    return std::nullopt;
  }
  int base = 10;
  if (absl::ConsumePrefix(&rest, "0x")) {
    base = 16;
  } else if (absl::ConsumePrefix(&rest, "0b")) {
    base = 2;
  } else if (rest.size() > 1 && rest[0] == '0') {
    absl::ConsumePrefix(&rest, "0o");
    base = 8;
  }
  int64_t value = 0;
  const char* const end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return negative ? -value : value;
}

void SortByLine(std::vector<ConfigError>& errors) {
  std::stable_sort(errors.begin(), errors.end(),
                   [](const ConfigError& a, const ConfigError& b) {
                     return a.line < b.line;
                   });
}

void YamlReader::FailAt(int line, absl::string_view text) {
  if (errors_.size() > kMaxConfigErrors) return;
  const bool is_last = errors_.size() == kMaxConfigErrors;
  errors_.push_back({.origin = origin_,
                     .line = line,
                     .text = is_last ? "too many errors; the rest is not shown"
                                     : std::string(text)});
}

void YamlReader::WarnAt(int line, absl::string_view text) {
  if (warnings_.size() > kMaxConfigErrors) return;
  const auto is_same = [&](const ConfigError& known) {
    return known.line == line && known.text == text;
  };
  if (std::any_of(warnings_.begin(), warnings_.end(), is_same)) return;
  const bool is_last = warnings_.size() == kMaxConfigErrors;
  warnings_.push_back({.origin = origin_,
                       .line = line,
                       .text = is_last
                                   ? "too many warnings; the rest is not shown"
                                   : std::string(text)});
}

bool YamlReader::IsKnown(absl::string_view key) const {
  return std::find(known_.begin(), known_.end(), key) != known_.end();
}

void YamlReader::Unexpected(const YamlNode& node, absl::string_view what,
                            absl::string_view expected) {
  Fail(node,
       absl::StrCat(what, ": found ", Found(node), ", expected ", expected));
}

std::optional<std::string> YamlReader::Text(const YamlNode& node,
                                            absl::string_view what) {
  if (!node.IsScalar()) {
    Unexpected(node, what, "text");
    return std::nullopt;
  }
  return Expand(node);
}

std::optional<std::string> YamlReader::Name(const YamlNode& node,
                                            absl::string_view what) {
  std::optional<std::string> text = Text(node, what);
  if (!text.has_value()) return std::nullopt;
  if (text->empty() || HasControls(*text)) {
    Unexpected(node, what,
               "text that is not empty, without control characters");
    return std::nullopt;
  }
  return text;
}

std::optional<int64_t> YamlReader::Integer(const YamlNode& node,
                                           absl::string_view what,
                                           int64_t least, int64_t most) {
  std::optional<int64_t> value;
  if (IsUnquoted(node)) {
    const std::optional<std::string> text = Expand(node);
    if (!text.has_value()) return std::nullopt;
    value = ParseYamlInteger(*text);
  }
  if (!value.has_value() || *value < least || *value > most) {
    Unexpected(node, what,
               absl::StrCat("a whole number from ", least, " to ", most,
                            node.IsQuoted() ? ", without quotes" : ""));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> YamlReader::Boolean(const YamlNode& node,
                                        absl::string_view what) {
  if (IsUnquoted(node)) {
    const std::optional<std::string> text = Expand(node);
    if (!text.has_value()) return std::nullopt;
    const std::string word = absl::AsciiStrToLower(*text);
    if (word == "true" || word == "yes" || word == "on") return true;
    if (word == "false" || word == "no" || word == "off") return false;
  }
  Unexpected(
      node, what,
      node.IsQuoted() ? "true or false, without quotes" : "true or false");
  return std::nullopt;
}

std::optional<size_t> YamlReader::Word(
    const YamlNode& node, absl::string_view what,
    const std::vector<absl::string_view>& words) {
  const std::optional<std::string> text = Text(node, what);
  if (!text.has_value()) return std::nullopt;
  const auto it = std::find(words.begin(), words.end(), *text);
  if (it != words.end()) return static_cast<size_t>(it - words.begin());
  Unexpected(
      node, what,
      absl::StrCat(absl::StrJoin(words, ", "), DidYouMean(*text, words)));
  return std::nullopt;
}

std::optional<std::string> YamlReader::Variable(const YamlNode& node,
                                                const std::string& name) {
  std::optional<std::string> value;
  if (environment_ != nullptr) value = (*environment_)(name);
  if (!value.has_value()) {
    Fail(node,
         absl::StrCat("environment variable ", Quoted(name), " is not set"));
  }
  return value;
}

std::vector<ConfigError> YamlReader::TakeErrors() {
  SortByLine(errors_);
  return std::move(errors_);
}

std::vector<ConfigError> YamlReader::TakeWarnings() {
  SortByLine(warnings_);
  return std::move(warnings_);
}

std::optional<std::string> YamlReader::Expand(const YamlNode& node) {
  const absl::string_view text = node.Scalar();
  if (environment_ == nullptr) return std::string(text);
  std::string expanded;
  absl::string_view rest = text;
  for (size_t at = rest.find("${"); at != rest.npos; at = rest.find("${")) {
    const size_t end = rest.find('}', at);
    if (end == rest.npos) break;
    const std::string name(rest.substr(at + 2, end - at - 2));
    const std::optional<std::string> value = Variable(node, name);
    if (!value.has_value()) return std::nullopt;
    absl::StrAppend(&expanded, rest.substr(0, at), *value);
    rest.remove_prefix(end + 1);
  }
  absl::StrAppend(&expanded, rest);
  return expanded;
}

}  // namespace rls
