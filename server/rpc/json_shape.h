#ifndef RLS_RPC_JSON_SHAPE_H_
#define RLS_RPC_JSON_SHAPE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rls {

// Checks the form of a RateLimitRequest in JSON, before protobuf's parser reads
// the values. That parser takes a hundred times as long, and it accepts texts
// that are not JSON: an object instead of a list, a field twice, a list for a
// single value, names without quotes, single quotes, a comma at the end.
//
// Failure: INVALID_ARGUMENT, also if the text has more descriptors or entries
// than a request may have.
absl::Status CheckJsonShape(absl::string_view json);

}  // namespace rls

#endif  // RLS_RPC_JSON_SHAPE_H_
