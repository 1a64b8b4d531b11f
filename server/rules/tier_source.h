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

// `user_tier_source` of the configuration.
struct TierSourceSpec {
  std::string url;      // http or https, with {user_id} in its path or query
  std::string ca_file;  // replaces the system's certificates; "" to use those
  std::string header_name;   // "" for no header
  std::string header_value;  // secret
  // "" to use header_value. Otherwise read before each HTTP request.
  std::string header_file;
  absl::Duration timeout = absl::Seconds(1);  // of one HTTP request
  absl::Duration ttl = absl::Seconds(60);     // lifetime of a cached tier
  // In this last part of the lifetime a lookup also starts a refresh.
  absl::Duration stale = absl::Seconds(30);
  absl::Duration negative_ttl = absl::Seconds(10);  // of "no tier" and failures
  size_t max_cached = 100'000;                      // users
  size_t max_concurrent = 32;                       // HTTP requests
  bool wait = true;           // requests wait for a tier that is not cached
  bool ask_assigned = false;  // also look up users of `assignments`

  bool operator==(const TierSourceSpec&) const = default;
};

// Looks up the tiers of users that the configuration does not list.
//
// A tier that is not cached costs an HTTP request to another system. A lookup
// waits at most `timeout`, and at most half of the time until its deadline. The
// other half remains for the decision itself.
//
// Threads: all methods may be called by many threads at once. `done` runs
// exactly once, on any thread, possibly before the method returns.
// Failure: a lookup never fails. If the tier is unknown, its result is nullopt.
class TierSource {
 public:
  // The name of the tier; "" if the user has no tier; nullopt if the tier is
  // unknown. The configuration need not contain a tier of this name.
  using AnswerCallback = absl::AnyInvocable<void(std::optional<std::string>)>;
  using RefreshCallback = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  virtual ~TierSource() = default;

  // Returns the tier of `user`. If a new answer is not available in time,
  // returns the last known tier.
  virtual void Lookup(absl::string_view user, absl::Time deadline,
                      AnswerCallback done) = 0;

  // Looks up the user with a new HTTP request, even if the tier is cached.
  // Failure: INVALID_ARGUMENT (this source never looks up such a user),
  // UNAVAILABLE, DEADLINE_EXCEEDED. After a failure the cached tier remains.
  virtual void Refresh(absl::string_view user, RefreshCallback done) = 0;
};

// Creates the tier sources of all domains.
//
// Threads: Open() may be called by many threads at once.
class TierSources {
 public:
  virtual ~TierSources() = default;

  // Returns the tier source of a domain. As long as `spec` stays the same,
  // returns the source that is already in use, with its cache.
  virtual std::shared_ptr<TierSource> Open(const std::string& domain,
                                           const TierSourceSpec& spec) = 0;
};

}  // namespace rls

#endif  // RLS_RULES_TIER_SOURCE_H_
