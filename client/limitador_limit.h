#ifndef RLS_CLIENT_LIMITADOR_LIMIT_H_
#define RLS_CLIENT_LIMITADOR_LIMIT_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/load.h"
#include "config/yaml_tree.h"

namespace rls {

// One entry that a descriptor must have so that a limit applies.
struct ImportedEntry {
  std::string key;
  std::optional<std::string> equal;  // the only value, or any value
  std::vector<std::string> except;   // other than these values; sorted
  bool counted = false;              // each value has its own counter

  // Any value except some, all in one counter.
  bool shared() const { return !equal.has_value() && !counted; }
};

struct ImportedLimit {
  int line = 0;    // from 1
  int number = 0;  // its place in the file, from 1
  std::string domain;
  std::string name;  // may be ""
  int64_t limit = 0;
  int64_t seconds = 0;
  std::vector<ImportedEntry> entries;  // conditions first, then variables
  bool apart = false;  // entries[0] only keeps it apart from other limits
  // The conditions and variables as they stand in the file, in any order.
  std::set<std::string> expressions;
};

// Reads one item of a limits file. Returns nullopt and adds at least one error
// if a descriptor file cannot state the limit.
std::optional<ImportedLimit> ReadImportedLimit(
    const YamlNode& item, absl::string_view origin,
    std::vector<ConfigError>& errors);

// `seconds` as the keys of a rate_limit: `unit: minute` or `window: 90s`.
std::string WindowKeys(int64_t seconds);

// True if one descriptor can satisfy both.
bool CanBothHold(const ImportedEntry& left, const ImportedEntry& right);

}  // namespace rls

#endif  // RLS_CLIENT_LIMITADOR_LIMIT_H_
