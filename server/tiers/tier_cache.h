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

// What the cache has of one user.
struct CachedTier {
  enum class Age {
    kFresh,    // to be used as it is
    kAging,    // to be used, and to be asked for anew meanwhile
    kExpired,  // to be asked for anew; good for want of better
  };
  Age age = Age::kExpired;
  std::optional<std::string> tier;  // "" for none; nullopt: never heard of him
};

// The tiers that a source has told, and when. What has expired is kept until
// room is needed: it is what is used while the source does not answer. Users
// with a tier and users without one have their own room each
// (TierSourceSpec::max_cached), so that a flood of made-up users displaces
// nobody's tier; in each, who was asked about longest ago goes first.
//
// Threads: every method may be called by many threads at once.
// Units: `now` is Clock::Elapsed().
class TierCache {
 public:
  explicit TierCache(const TierSourceSpec& spec) : spec_(spec) {}
  TierCache(const TierCache&) = delete;
  TierCache& operator=(const TierCache&) = delete;

  CachedTier Find(absl::string_view user, absl::Duration now) const;

  void PutTier(absl::string_view user, const std::string& tier,
               absl::Duration now);
  // The source could not be asked: what is known stays so, and it is not asked
  // again at once.
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
  using Room = std::list<Entry>;  // who was asked about longest ago first

  Room& RoomOf(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return entry.has_tier() ? with_tier_ : without_;
  }
  // Takes the entry of a user out of its room, or makes one.
  Room Extract(absl::string_view user) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(Room one) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TierSourceSpec& spec_;
  mutable Mutex mutex_;
  Room with_tier_ ABSL_GUARDED_BY(mutex_);
  Room without_ ABSL_GUARDED_BY(mutex_);
  // The keys are views of the entries' users.
  absl::flat_hash_map<absl::string_view, Room::iterator> entries_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_TIERS_TIER_CACHE_H_
