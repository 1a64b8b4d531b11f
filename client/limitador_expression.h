#ifndef RLS_CLIENT_LIMITADOR_EXPRESSION_H_
#define RLS_CLIENT_LIMITADOR_EXPRESSION_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// The part of limitador's expressions (CEL) that a descriptor file can state.
// Source: limitador's documentation of its limits file.

// A reference to an entry of a descriptor: descriptors[0].key,
// descriptors[0]["key"], or in the form of old versions only the key.
struct EntryReference {
  std::optional<int> descriptor;  // its position; nullopt in the old form
  std::string key;                // not empty
};

struct EntryTest {
  EntryReference entry;
  std::string value;
  bool equal = true;  // false: !=
};

// Parses tests of the forms ENTRY == "value" and ENTRY != "value", joined by
// &&. In the old form the value may lack its quotes.
//
// Failure: INVALID_ARGUMENT for any other expression; the message names the
// value found and the value expected.
absl::StatusOr<std::vector<EntryTest>> ParseCondition(absl::string_view text);

// Parses one reference to an entry. Failure: as ParseCondition().
absl::StatusOr<EntryReference> ParseVariable(absl::string_view text);

}  // namespace rls

#endif  // RLS_CLIENT_LIMITADOR_EXPRESSION_H_
