#include "rpc/json_shape.h"

#include <algorithm>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "rpc/read_query.h"

namespace rls {
namespace {

// { [ { [ { is an entry, and { [ { { { a value of a limit.
constexpr size_t kMaxDepth = 8;
constexpr size_t kMaxFields = 8;  // of one object; each message has fewer

absl::Status BadShape(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

// One spelling for hits_addend and hitsAddend.
std::string FieldName(absl::string_view key) {
  std::string name;
  for (const char c : key) {
    if (c != '_') name.push_back(absl::ascii_tolower(c));
  }
  return name;
}

class JsonShape {
 public:
  absl::Status Check(absl::string_view json) {
    for (size_t i = 0; i < json.size() && status_.ok(); ++i) {
      const char c = json[i];
      if (absl::ascii_isspace(static_cast<unsigned char>(c))) continue;
      if (c == '"') {
        const size_t end = EndOfString(json, i);
        OnString(json.substr(i + 1, end - i - 1));
        i = end;
      } else {
        OnCharacter(c);
      }
      after_comma_ = c == ',';
    }
    return status_;
  }

 private:
  struct Frame {
    bool is_object = false;
    bool wants_name = false;  // the next string is the name of a field
    absl::InlinedVector<std::string, kMaxFields> fields;
  };
  // The depth of the objects that have a list of descriptors, of entries.
  static constexpr size_t kRequestDepth = 1;
  static constexpr size_t kDescriptorDepth = 3;
  static constexpr size_t kEntryDepth = 5;

  // The index of the closing quote, or of the end.
  static size_t EndOfString(absl::string_view json, size_t begin) {
    size_t i = begin + 1;
    while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
    return std::min(i, json.size());
  }

  bool WantsName() const {
    return !frames_.empty() && frames_.back().wants_name;
  }

  // Whether the value that begins now is one of the lists of a request.
  bool IsInList() const {
    if (frames_.empty() || frames_.back().fields.empty()) return false;
    const std::string& field = frames_.back().fields.back();
    return (frames_.size() == kRequestDepth && field == "descriptors") ||
           (frames_.size() == kDescriptorDepth && field == "entries");
  }

  void OnString(absl::string_view text) {
    if (!WantsName()) return;
    Frame& frame = frames_.back();
    frame.wants_name = false;
    std::string name = FieldName(text);
    if (text.find('\\') != text.npos || frame.fields.size() == kMaxFields) {
      status_ = BadShape(Quoted(text), "unknown field");
    } else if (std::find(frame.fields.begin(), frame.fields.end(), name) !=
               frame.fields.end()) {
      status_ = BadShape(Quoted(text), "the field is repeated");
    } else {
      frame.fields.push_back(std::move(name));
    }
  }

  void OnCharacter(char c) {
    if (c == '{' || c == '[') return Open(c == '{');
    if (c == '}' || c == ']') return Close();
    if (c == '\'' || (WantsName() && c != ',')) {
      status_ = BadShape("JSON", "expected a name or text in double quotes");
    } else if (c == ',') {
      if (after_comma_) status_ = BadShape("JSON", "found two commas");
      if (!frames_.empty())
        frames_.back().wants_name = frames_.back().is_object;
    }
  }

  void Open(bool is_object) {
    if (WantsName()) {
      status_ = BadShape("JSON", "expected a name in double quotes");
    } else if (IsInList() == is_object) {
      status_ = is_object
                    ? BadShape(frames_.back().fields.back(),
                               "found an object, expected a list")
                    : BadShape("JSON", "found a list, expected one value");
    } else if (frames_.size() == kMaxDepth) {
      status_ = BadShape("JSON", "nested too deep");
    } else {
      frames_.push_back({.is_object = is_object, .wants_name = is_object});
      if (is_object) Count();
    }
  }

  void Close() {
    if (after_comma_) status_ = BadShape("JSON", "found a comma at the end");
    if (!frames_.empty()) frames_.pop_back();
  }

  void Count() {
    if (frames_.size() == kDescriptorDepth) {
      entries_ = 0;
      if (++descriptors_ <= kMaxDescriptors) return;
      status_ =
          BadShape("descriptors", absl::StrCat("more than ", kMaxDescriptors));
    } else if (frames_.size() == kEntryDepth && ++entries_ > kMaxEntries) {
      status_ =
          BadShape(absl::StrCat("descriptors[", descriptors_ - 1, "].entries"),
                   absl::StrCat("more than ", kMaxEntries));
    }
  }

  absl::Status status_;
  absl::InlinedVector<Frame, kMaxDepth> frames_;
  bool after_comma_ = false;
  int descriptors_ = 0;
  int entries_ = 0;  // of the current descriptor
};

}  // namespace

absl::Status CheckJsonShape(absl::string_view json) {
  return JsonShape().Check(json);
}

}  // namespace rls
