#ifndef RLS_CLIENT_LIMITADOR_H_
#define RLS_CLIENT_LIMITADOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config/load.h"

namespace rls {

// A limits file of limitador as descriptor files of ratelimitd.
//
// limitador applies every limit whose entries are among those of a descriptor.
// ratelimitd applies the one limit whose path is the whole descriptor. So each
// limit becomes a path of its entries, and two limits that would share a path,
// or of which one would hide the other, are kept apart by an entry in front:
// generic_key=limitador-limit-N. The gateway must then send one more
// descriptor, which `notes` names.

struct TranslatedDomain {
  std::string name;
  std::string yaml;  // one descriptor file
};

struct Translation {
  std::vector<TranslatedDomain> domains;  // in the order of the file
  // In line order: limits that are left out, with the reason, and changes that
  // the gateway needs.
  std::vector<ConfigError> notes;
};

// `origin` is the file's path, for messages.
//
// Failure: INVALID_ARGUMENT if `text` is not a limits file: not YAML, not a
// list, or larger than the bounds below. The message is origin:line: text.
absl::StatusOr<Translation> TranslateLimitador(const std::string& text,
                                               absl::string_view origin);

inline constexpr size_t kMaxImportedLimits = 10'000;  // of a file
inline constexpr size_t kMaxImportedTests = 64;       // of one limit
inline constexpr size_t kMaxImportedNodes = 100'000;  // of a domain

}  // namespace rls

#endif  // RLS_CLIENT_LIMITADOR_H_
