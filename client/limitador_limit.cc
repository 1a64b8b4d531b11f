#include "limitador_limit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/limit_format.h"
#include "config/yaml_map.h"
#include "limitador.h"
#include "limitador_expression.h"

namespace rls {
namespace {

// The longest value of `window:`.
constexpr int64_t kMaxWindowSeconds = int64_t{366} * 24 * 3600;

class LimitReader {
 public:
  LimitReader(const YamlMap& map, ImportedLimit& limit)
      : map_(map), limit_(limit) {}

  void Read() {
    ReadNumbers();
    map_.ReadName("name", limit_.name);
    ReadList("conditions", [this](const YamlNode& node, const auto& text) {
      AddCondition(node, text);
    });
    ReadList("variables", [this](const YamlNode& node, const auto& text) {
      AddVariable(node, text);
    });
    if (limit_.entries.size() >= static_cast<size_t>(kMaxRuleDepth)) {
      Fail(map_.node(),
           absl::StrCat("more than ", kMaxRuleDepth - 1, " different entries"));
    }
  }

 private:
  void Fail(const YamlNode& node, absl::string_view text) {
    map_.reader().Fail(node, text);
  }

  void ReadNumbers() {
    if (map_.ReadName("namespace", limit_.domain) == nullptr) {
      Fail(map_.node(), "a limit without namespace");
    }
    if (map_.ReadInteger("max_value", 0, UINT32_MAX, limit_.limit) == nullptr) {
      Fail(map_.node(),
           "a limit without max_value, which limitador reads as 0");
    }
    if (map_.ReadInteger("seconds", 1, kMaxWindowSeconds, limit_.seconds) ==
        nullptr) {
      Fail(map_.node(), "a limit without seconds");
    }
  }

  template <typename Add>
  void ReadList(const char* key, Add add) {
    const YamlNode* const list = map_.Find(key);
    if (list == nullptr) return;
    if (!list->IsSequence()) {
      map_.reader().Unexpected(*list, key, "a list");
      return;
    }
    for (const YamlNode& item : list->Items()) {
      if (++tests_ > kMaxImportedTests) {
        Fail(item, absl::StrCat("more than ", kMaxImportedTests,
                                " conditions and variables"));
        return;
      }
      const auto text = map_.reader().Text(item, key);
      if (!text.has_value()) continue;
      limit_.expressions.insert(absl::StrCat(key, ":", *text));
      add(item, *text);
    }
  }

  void AddCondition(const YamlNode& node, const std::string& text) {
    const auto tests = ParseCondition(text);
    if (!tests.ok()) {
      Fail(node, absl::StrCat("conditions: ", tests.status().message()));
      return;
    }
    for (const EntryTest& test : *tests) {
      ImportedEntry* const entry = EntryOf(node, test.entry);
      if (entry != nullptr) AddTest(node, test, *entry);
    }
  }

  void AddTest(const YamlNode& node, const EntryTest& test,
               ImportedEntry& entry) {
    if (test.value.empty() || test.value.find('*') != std::string::npos) {
      Fail(node,
           absl::StrCat("conditions: found the value ", Quoted(test.value),
                        ", expected a value that is not empty and has no "
                        "*, which would match other values, too"));
      return;
    }
    if (!test.equal) {
      entry.except.push_back(test.value);
    } else if (entry.equal.value_or(test.value) == test.value) {
      entry.equal = test.value;
    } else {
      FailNever(node);
    }
    std::vector<std::string>& except = entry.except;
    std::sort(except.begin(), except.end());
    except.erase(std::unique(except.begin(), except.end()), except.end());
    if (!entry.equal.has_value()) return;
    if (std::binary_search(except.begin(), except.end(), *entry.equal)) {
      FailNever(node);
    }
    except.clear();
  }

  void FailNever(const YamlNode& node) {
    Fail(node,
         "conditions: they exclude each other, so the limit never "
         "applies");
  }

  void AddVariable(const YamlNode& node, const std::string& text) {
    const auto reference = ParseVariable(text);
    if (!reference.ok()) {
      Fail(node, absl::StrCat("variables: ", reference.status().message()));
      return;
    }
    ImportedEntry* const entry = EntryOf(node, *reference);
    if (entry != nullptr) entry->counted = true;
  }

  // The entry of the limit with this key. Null after an error.
  ImportedEntry* EntryOf(const YamlNode& node, const EntryReference& wanted) {
    if (HasControls(wanted.key)) {
      Fail(node, absl::StrCat("found the key ", Quoted(wanted.key),
                              ", expected a key without control characters"));
      return nullptr;
    }
    if (wanted.descriptor.has_value()) {
      if (position_.value_or(*wanted.descriptor) != *wanted.descriptor) {
        Fail(node, absl::StrCat("found descriptors[", *wanted.descriptor,
                                "] beside descriptors[", *position_,
                                "], expected entries of one descriptor"));
        return nullptr;
      }
      position_ = wanted.descriptor;
    }
    for (ImportedEntry& entry : limit_.entries) {
      if (entry.key == wanted.key) return &entry;
    }
    limit_.entries.push_back({.key = wanted.key, .equal = {}, .except = {}});
    return &limit_.entries.back();
  }

  const YamlMap& map_;
  ImportedLimit& limit_;
  size_t tests_ = 0;
  std::optional<int> position_;  // N of descriptors[N]
};

bool Excludes(const ImportedEntry& entry, const ImportedEntry& other) {
  return other.equal.has_value() &&
         std::binary_search(entry.except.begin(), entry.except.end(),
                            *other.equal);
}

}  // namespace

std::optional<ImportedLimit> ReadImportedLimit(
    const YamlNode& item, absl::string_view origin,
    std::vector<ConfigError>& errors) {
  YamlReader reader(origin, nullptr, nullptr);
  ImportedLimit limit{.line = item.line(),
                      .domain = {},
                      .name = {},
                      .entries = {},
                      .expressions = {}};
  const YamlMap map(reader, item, "a limit",
                    {"id", "namespace", "max_value", "seconds", "name",
                     "conditions", "variables"});
  if (item.IsMap()) LimitReader(map, limit).Read();
  const std::vector<ConfigError> found = reader.TakeErrors();
  errors.insert(errors.end(), found.begin(), found.end());
  if (!found.empty()) return std::nullopt;
  return limit;
}

std::string WindowKeys(int64_t seconds) {
  for (const WindowUnit& unit : WindowUnits()) {
    if (unit.length == absl::Seconds(seconds)) {
      return absl::StrCat("unit: ", unit.word);
    }
  }
  return absl::StrCat("window: ", seconds, "s");
}

bool CanBothHold(const ImportedEntry& left, const ImportedEntry& right) {
  if (left.key != right.key) return false;
  if (left.equal.has_value() && right.equal.has_value()) {
    return *left.equal == *right.equal;
  }
  return !Excludes(left, right) && !Excludes(right, left);
}

}  // namespace rls
