#ifndef RLS_RPC_READ_QUERY_H_
#define RLS_RPC_READ_QUERY_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "limiter/query.h"

namespace rls {

// Limits of a request (DESIGN section 9).
inline constexpr int kMaxDomainBytes = 1 << 10;
inline constexpr int kMaxDescriptors = 1024;
inline constexpr int kMaxEntries = 64;           // of one descriptor
inline constexpr int kMaxKeyBytes = 4 << 10;     // of one entry
inline constexpr int kMaxValueBytes = 64 << 10;  // of one entry

// Reads a serialized RateLimitRequest into `query`, as views of `bytes`. Read
// field by field rather than by the generated class, because that one refuses
// strings that are not UTF-8, and gateways send header values as they came.
// Unknown fields are skipped; of a repeated singular field the last one counts.
//
// Failure: INVALID_ARGUMENT that names the field and what is wrong with it.
absl::Status ReadQuery(absl::string_view bytes, Query& query);

}  // namespace rls

#endif  // RLS_RPC_READ_QUERY_H_
