#ifndef RLS_LIMITER_QUERY_H_
#define RLS_LIMITER_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limiter/caller.h"
#include "rules/domain.h"
#include "trace/tracer.h"

namespace rls {

// A request with this many descriptors, each with one limit, is decided without
// an allocation.
inline constexpr size_t kUsualDescriptors = 6;

// One request, independent of the protocol by which it came.
// Lifetime: the views point into the message from which the query was read.

struct Descriptor {
  absl::InlinedVector<Entry, 4> entries;
  // A limit that comes in the request and replaces that of any rule.
  std::optional<Policy> limit_override;
  // Units to charge. Nullopt: Query::hits. 0: a look without a charge.
  std::optional<uint64_t> hits;
  bool is_negative_hits = false;  // refund `hits` instead
};

struct Query {
  absl::string_view domain;
  absl::InlinedVector<Descriptor, kUsualDescriptors> descriptors;
  uint32_t hits = 0;  // 0 means 1
  absl::Time deadline = absl::InfiniteFuture();
  // Null: the transport cannot notice that the client is gone, so the request
  // is never held.
  Caller* caller = nullptr;
  // Null: the request is not traced. Lives until the answer.
  RequestTrace* trace = nullptr;
};

}  // namespace rls

#endif  // RLS_LIMITER_QUERY_H_
