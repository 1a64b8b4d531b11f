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

namespace rls {

// So many descriptors, each with one limit, are decided without allocating.
inline constexpr size_t kUsualDescriptors = 6;

// One request in the limiter's words, whatever protocol it came by.
// Lifetime: views of the message it was read from.

struct Descriptor {
  absl::InlinedVector<Entry, 4> entries;
  // The caller's own limit for this descriptor, used instead of any rule.
  std::optional<Policy> limit_override;
  // Units to charge; none: the query's `hits`. 0 looks without charging.
  std::optional<uint64_t> hits;
  bool is_negative_hits = false;  // refund `hits` instead
};

struct Query {
  absl::string_view domain;
  absl::InlinedVector<Descriptor, kUsualDescriptors> descriptors;
  uint32_t hits = 0;  // 0 means 1
  absl::Time deadline = absl::InfiniteFuture();
  // Null: nobody who can be heard going away, so the answer is never held.
  Caller* caller = nullptr;
};

}  // namespace rls

#endif  // RLS_LIMITER_QUERY_H_
