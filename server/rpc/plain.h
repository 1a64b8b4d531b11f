#ifndef RLS_RPC_PLAIN_H_
#define RLS_RPC_PLAIN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "rules/domain.h"

namespace rls {

// Envoy's messages in plain words, for callers that speak no protobuf: see
// admin/forward_auth.h.

using PlainDescriptor = std::vector<Entry>;

// The serialized RateLimitRequest. The values may hold any bytes.
std::string WriteRequest(absl::string_view domain,
                         absl::Span<const PlainDescriptor> descriptors);

struct PlainHeader {
  std::string name;
  std::string value;
};

struct PlainAnswer {
  std::vector<PlainHeader> response_headers;  // for the client
  std::vector<PlainHeader> request_headers;   // for the upstream
  std::string body;                           // of a refusal
};

// From a serialized RateLimitResponse.
// Failure: INTERNAL, when it is none.
absl::StatusOr<PlainAnswer> ReadAnswer(absl::string_view response);

}  // namespace rls

#endif  // RLS_RPC_PLAIN_H_
