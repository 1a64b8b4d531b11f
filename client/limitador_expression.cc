#include "limitador_expression.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace rls {
namespace {

constexpr char kExpectedCondition[] =
    "descriptors[0][\"key\"] == \"value\" (or !=), joined by &&";
constexpr char kExpectedVariable[] = "descriptors[0][\"key\"]";

// Reads an expression from its start. Each method skips the spaces before its
// token. If another token follows, it returns false or nullopt.
class Reader {
 public:
  explicit Reader(absl::string_view text) : rest_(text) {}

  bool AtEnd() {
    SkipSpaces();
    return rest_.empty();
  }

  bool Take(absl::string_view token) {
    SkipSpaces();
    return absl::ConsumePrefix(&rest_, token);
  }

  // A string in single or double quotes. The only escapes are those of a quote
  // and of a backslash.
  std::optional<std::string> TakeString() {
    SkipSpaces();
    if (rest_.empty() || (rest_[0] != '"' && rest_[0] != '\'')) {
      return std::nullopt;
    }
    const char quote = rest_[0];
    std::string text;
    for (size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == quote) {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] == '\\') {
        ++i;
        const absl::string_view escaped = rest_.substr(i, 1);
        if (escaped != "\\" && escaped != "\"" && escaped != "'") break;
      }
      text.push_back(rest_[i]);
    }
    return std::nullopt;
  }

  // A word of letters, digits and _; after the first byte also of `more`.
  std::optional<std::string> TakeWord(absl::string_view more) {
    SkipSpaces();
    size_t size = 0;
    while (size < rest_.size() &&
           (absl::ascii_isalnum(rest_[size]) || rest_[size] == '_' ||
            (size > 0 && more.find(rest_[size]) != more.npos))) {
      ++size;
    }
    if (size == 0) return std::nullopt;
    std::string word(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return word;
  }

  // The rest of a reference after the word `descriptors`.
  std::optional<EntryReference> TakePosition() {
    EntryReference entry;
    int position = 0;
    if (!Take("[")) return std::nullopt;
    const auto number = TakeWord("");
    if (!number.has_value() || !absl::SimpleAtoi(*number, &position) ||
        !Take("]")) {
      return std::nullopt;
    }
    entry.descriptor = position;
    std::optional<std::string> key;
    if (Take(".")) {
      key = TakeWord("");
    } else if (Take("[")) {
      key = TakeString();
      if (!Take("]")) return std::nullopt;
    }
    if (!key.has_value() || key->empty()) return std::nullopt;
    entry.key = *std::move(key);
    return entry;
  }

  std::optional<EntryReference> TakeEntry() {
    std::optional<std::string> word = TakeWord(".-");
    if (!word.has_value() || absl::ascii_isdigit((*word)[0])) {
      return std::nullopt;
    }
    if (*word == "descriptors") return TakePosition();
    // `limit` is the limit itself.
    if (*word == "limit" || absl::StartsWith(*word, "limit.") ||
        absl::StartsWith(*word, "descriptors.")) {
      return std::nullopt;
    }
    return EntryReference{.descriptor = std::nullopt, .key = *std::move(word)};
  }

  std::optional<EntryTest> TakeTest() {
    EntryTest test;
    // "value" == ENTRY is as good as ENTRY == "value".
    std::optional<std::string> value = TakeString();
    std::optional<EntryReference> entry;
    if (!value.has_value()) entry = TakeEntry();
    if (!value.has_value() && !entry.has_value()) return std::nullopt;
    test.equal = Take("==");
    if (!test.equal && !Take("!=")) return std::nullopt;
    if (value.has_value()) {
      entry = TakeEntry();
    } else {
      value = TakeString();
      const bool is_old = !entry->descriptor.has_value();
      if (!value.has_value() && is_old) value = TakeWord(".-/:");
    }
    if (!value.has_value() || !entry.has_value()) return std::nullopt;
    test.entry = *std::move(entry);
    test.value = *std::move(value);
    return test;
  }

 private:
  void SkipSpaces() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  absl::string_view rest_;
};

absl::Status Unexpected(absl::string_view text, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("found ", Quoted(text), ", expected ", expected));
}

}  // namespace

absl::StatusOr<std::vector<EntryTest>> ParseCondition(absl::string_view text) {
  Reader reader(text);
  std::vector<EntryTest> tests;
  do {
    std::optional<EntryTest> test = reader.TakeTest();
    if (!test.has_value()) return Unexpected(text, kExpectedCondition);
    tests.push_back(*std::move(test));
  } while (reader.Take("&&"));
  if (!reader.AtEnd()) return Unexpected(text, kExpectedCondition);
  return tests;
}

absl::StatusOr<EntryReference> ParseVariable(absl::string_view text) {
  Reader reader(text);
  std::optional<EntryReference> entry = reader.TakeEntry();
  if (!entry.has_value() || !reader.AtEnd()) {
    return Unexpected(text, kExpectedVariable);
  }
  return *std::move(entry);
}

}  // namespace rls
