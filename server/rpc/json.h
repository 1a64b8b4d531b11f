#ifndef RLS_RPC_JSON_H_
#define RLS_RPC_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// Protobuf's JSON mapping of Envoy's messages, for the HTTP port, so that no
// protobuf type leaves this module.

// JSON of a RateLimitRequest -> its serialized bytes.
// Failure: INVALID_ARGUMENT.
absl::StatusOr<std::string> RequestFromJson(absl::string_view json);

// Serialized RateLimitResponse -> JSON; fields at their default are left out.
absl::StatusOr<std::string> ResponseToJson(absl::string_view response);

}  // namespace rls

#endif  // RLS_RPC_JSON_H_
