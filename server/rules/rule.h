#ifndef RLS_RULES_RULE_H_
#define RLS_RULES_RULE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limit/lease.h"
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

// How requests over a limit pass all the same, on a cheaper model (DESIGN
// section 6): the gateway is told which one.
struct DegradeRule {
  std::string model_key = "model";  // of the descriptor entry with the model
  std::map<std::string, std::string> cheaper;  // model -> cheaper model
  // For a request that names no model, or one that `cheaper` does not; "" when
  // there is no model that is cheaper than all.
  std::string cheapest;
  std::string flag_header = "x-ratelimit-degraded";
  std::string model_header = "x-model";
  // What holds the degraded traffic of one user; over it, it is refused.
  std::optional<Policy> limit;

  // The model to use for `model` ("" when the request names none); none when
  // there is no cheaper one, so that nothing is gained. "" leaves it to the
  // gateway.
  std::optional<absl::string_view> ModelFor(absl::string_view model) const;
};

// What a limit counts. Requests cost one each unless their gateway says
// otherwise; what they cost in tokens, gateways tell before or after
// (UsageSpec).
enum class Counted { kRequests, kTokens };

// What holds for a descriptor that matched: a limit and how to answer for it.
// Immutable once compiled; tiers are rules too.
struct Rule {
  // For people: metrics, /rlconfig, dynamic metadata. As configured, e.g.
  // "user_alice.path", or "tier free"; never a value from traffic.
  std::string path;
  Policy policy;  // not read when `unlimited`
  Counted counted = Counted::kRequests;
  // Of tokens: what a request is charged is an estimate, which its report makes
  // good; without the id of the request, nothing is charged before.
  bool reserves = false;
  bool unlimited = false;  // allowed without counting
  bool shadow = false;     // counted and judged, never denies
  bool quota = false;      // denies only when all quota rules of a request do
  std::string name;        // current_limit.name; what `replaces` refers to
  std::vector<std::string> replaces;
  std::string tier;     // "" unless this rule is a tier
  std::string message;  // for the body of a refusal; "" means no body
  OnBackendError on_backend_error = OnBackendError::kError;
  bool refundable = false;          // Charge::refundable
  std::optional<LeaseTerms> lease;  // of units in the shared store
  QueueRule queue;                  // read when `policy.queue`
  // Null: a request over the limit is refused, or queues.
  std::shared_ptr<const DegradeRule> degrade;
  // Limits beside this one, for the same descriptors; they have no more.
  std::vector<Rule> more;
};

}  // namespace rls

#endif  // RLS_RULES_RULE_H_
