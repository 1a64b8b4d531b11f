#ifndef RLS_RPC_READ_QUERY_H_
#define RLS_RPC_READ_QUERY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "limiter/query.h"

namespace rls {

// Reads requests, and enforces the limits of a request in every protocol.
//
// Failure: INVALID_ARGUMENT. The text names the field and the problem.

inline constexpr int kMaxDomainBytes = 1 << 10;
inline constexpr int kMaxDescriptors = 1024;
inline constexpr int kMaxEntries = 64;           // of one descriptor
inline constexpr int kMaxKeyBytes = 4 << 10;     // of one entry
inline constexpr int kMaxValueBytes = 64 << 10;  // of one entry

// Reads and checks a serialized RateLimitRequest. Skips unknown fields; if a
// singular field is repeated, the last one counts. Does not use the generated
// class, because it refuses strings that are not UTF-8, and gateways send
// header values unchanged.
// Lifetime: `query` views `bytes`.
absl::Status ReadQuery(absl::string_view bytes, Query& query);

// Checks a query that was not read by ReadQuery().
absl::Status CheckQuery(const Query& query);

// Checks the entries of one descriptor, and that `index` is in range.
absl::Status CheckDescriptor(const Descriptor& descriptor, size_t index);

// A RateLimitOverride: the limit override of one descriptor.
struct WireOverride {
  uint64_t requests_per_unit = 0;
  uint64_t unit = 0;  // envoy.type.v3.RateLimitUnit
  uint64_t unit_multiplier = 1;
};

// Checks the limit override of the descriptor `index`, and sets the limit and
// the window of `policy`.
absl::Status ReadOverride(const WireOverride& found, size_t index,
                          Policy& policy);

}  // namespace rls

#endif  // RLS_RPC_READ_QUERY_H_
