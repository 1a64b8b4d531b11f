#ifndef RLS_TIERS_TIER_CACHE_H_
#define RLS_TIERS_TIER_CACHE_H_

#include <cstddef>
#include <list>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "rules/tier_source.h"

namespace rls {

// The cached tier of one user.
struct CachedTier {
  enum class Age {
    kFresh,    // usable
    kAging,    // usable; fetch it again in the background
    kExpired,  // fetch it again; usable only if the fetch fails
  };
  Age age = Age::kExpired;
  std::optional<std::string> tier;  // "": no tier; nullopt: an unknown user
};

// The tiers that a source has returned, with their ages. An expired entry stays
// until its space is needed, because it is used while the source fails. Users
// with a tier and users without a tier have separate space, each for
// TierSourceSpec::max_cached users, so that a flood of made-up users cannot
// displace the tier of a real user. When its space is full, the entry that was
// updated longest ago is dropped.
//
// Threads: every method may be called by many threads at once.
// Units: `now` is Clock::Elapsed().
// Lifetime: `spec` must outlive the cache.
class TierCache {
 public:
  explicit TierCache(const TierSourceSpec& spec) : spec_(spec) {}
  TierCache(const TierCache&) = delete;
  TierCache& operator=(const TierCache&) = delete;

  CachedTier Find(absl::string_view user, absl::Duration now) const;

  void PutTier(absl::string_view user, const std::string& tier,
               absl::Duration now);
  // Records that a fetch failed. A known tier stays; the next fetch waits for
  // TierSourceSpec::negative_ttl.
  void PutFailure(absl::string_view user, absl::Duration now);

  size_t size() const;

 private:
  struct Entry {
    std::string user;
    std::optional<std::string> tier;
    absl::Duration aging_from = absl::ZeroDuration();
    absl::Duration expires_at = absl::ZeroDuration();
    bool has_tier() const { return tier.has_value() && !tier->empty(); }
  };
  using Room = std::list<Entry>;  // the entry updated longest ago is first

  Room& RoomOf(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return entry.has_tier() ? with_tier_ : without_;
  }
  // Takes the entry of a user out of its room, or makes a new entry.
  Room Extract(absl::string_view user) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(Room one) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TierSourceSpec& spec_;
  mutable Mutex mutex_;
  Room with_tier_ ABSL_GUARDED_BY(mutex_);
  Room without_ ABSL_GUARDED_BY(mutex_);
  // The keys are views of Entry::user.
  absl::flat_hash_map<absl::string_view, Room::iterator> entries_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_TIERS_TIER_CACHE_H_
