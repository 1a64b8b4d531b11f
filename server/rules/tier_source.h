#ifndef RLS_RULES_TIER_SOURCE_H_
#define RLS_RULES_TIER_SOURCE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace rls {

// `user_tier_source` as the configuration describes it.
struct TierSourceSpec {
  std::string url;      // http or https, with {user_id} in its path or query
  std::string ca_file;  // trusted instead of the system's; "" for these
  std::string header_name;   // "" for none
  std::string header_value;  // secret
  std::string header_file;   // read for each call instead; "" for none
  absl::Duration timeout = absl::Seconds(1);  // of one call
  absl::Duration ttl = absl::Seconds(60);     // a tier is used for so long
  absl::Duration stale = absl::Seconds(30);  // at its end: asked anew meanwhile
  absl::Duration negative_ttl = absl::Seconds(10);  // of "no tier" and failures
  size_t max_cached = 100'000;                      // users
  size_t max_concurrent = 32;                       // calls
  bool wait = true;           // requests wait for a tier that is not known
  bool ask_assigned = false;  // also of users that are in `assignments`

  bool operator==(const TierSourceSpec&) const = default;
};

// Tells which tier a user has, where the configuration does not.
//
// A tier that it does not know costs a call to another system. Who asks waits
// at most for the time that a call may take, and at most for half of what is
// left until its deadline, so that the other half is left for the answer.
//
// Threads: all of it may be called by many threads at once; `done` runs exactly
// once, on any thread, maybe before the call returns.
// Failure: it never fails to answer; what it does not know it says.
class TierSource {
 public:
  // The name of the tier, "" when the user has none; nullopt when nothing is
  // known of the user. The name need not be one of the configuration's.
  using AnswerCallback = absl::AnyInvocable<void(std::optional<std::string>)>;
  using RefreshCallback = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  virtual ~TierSource() = default;

  // What is known of `user`, the last that was known included.
  virtual void Ask(absl::string_view user, absl::Time deadline,
                   AnswerCallback done) = 0;

  // Asks anew, with a call that begins after this one, whatever is known.
  // Failure: INVALID_ARGUMENT (such a user is never asked for), UNAVAILABLE,
  // DEADLINE_EXCEEDED; what was known then stays known.
  virtual void Refresh(absl::string_view user, RefreshCallback done) = 0;
};

// Makes the sources of all domains.
//
// Threads: Open() may be called by many threads at once.
class TierSources {
 public:
  virtual ~TierSources() = default;

  // The source of a domain: the one that is in use, with all that it knows, as
  // long as its description stays the same.
  virtual std::shared_ptr<TierSource> Open(const std::string& domain,
                                           const TierSourceSpec& spec) = 0;
};

}  // namespace rls

#endif  // RLS_RULES_TIER_SOURCE_H_
