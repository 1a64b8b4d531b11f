#ifndef RLS_RULES_RULE_H_
#define RLS_RULES_RULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "limit/policy.h"

namespace rls {

// What a caller gets when the store cannot answer (DESIGN section 7).
enum class OnBackendError {
  kError,  // gRPC UNAVAILABLE: the gateway's failure mode decides
  kAllow,
  kDeny,
  kLocal,  // counted in this process's memory meanwhile
};

// How requests over a limit whose policy queues are held (DESIGN section 6).
struct QueueRule {
  absl::Duration max_wait = absl::Seconds(30);
  int64_t max_queued = 10'000;        // requests, in this process
  int64_t max_queued_per_user = 100;  // units of one counter, in all processes

  friend bool operator==(const QueueRule&, const QueueRule&) = default;
};

// What holds for a descriptor that matched: a limit and how to answer for it.
// Immutable once compiled; tiers are rules too.
struct Rule {
  // For people: metrics, /rlconfig, dynamic metadata. As configured, e.g.
  // "user_alice.path", or "tier free"; never a value from traffic.
  std::string path;
  Policy policy;           // not read when `unlimited`
  bool unlimited = false;  // allowed without counting
  bool shadow = false;     // counted and judged, never denies
  bool quota = false;      // denies only when all quota rules of a request do
  std::string name;        // current_limit.name; what `replaces` refers to
  std::vector<std::string> replaces;
  std::string tier;     // "" unless this rule is a tier
  std::string message;  // for the body of a refusal; "" means no body
  OnBackendError on_backend_error = OnBackendError::kError;
  bool refundable = false;  // Charge::refundable
  QueueRule queue;          // read when `policy.queue`
};

}  // namespace rls

#endif  // RLS_RULES_RULE_H_
