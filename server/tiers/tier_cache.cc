#include "tiers/tier_cache.h"

#include <algorithm>
#include <utility>

namespace rls {

CachedTier TierCache::Find(absl::string_view user, absl::Duration now) const {
  using Age = CachedTier::Age;
  ReaderMutexLock lock(&mutex_);
  const auto it = entries_.find(user);
  if (it == entries_.end()) return {};
  const Entry& entry = *it->second;
  if (now >= entry.expires_at) return {Age::kExpired, entry.tier};
  return {now < entry.aging_from ? Age::kFresh : Age::kAging, entry.tier};
}

void TierCache::PutTier(absl::string_view user, const std::string& tier,
                        absl::Duration now) {
  MutexLock lock(&mutex_);
  Room one = Extract(user);
  Entry& entry = one.front();
  entry.tier = tier;
  entry.expires_at = now + (tier.empty() ? spec_.negative_ttl : spec_.ttl);
  entry.aging_from =
      tier.empty() ? entry.expires_at : entry.expires_at - spec_.stale;
  Put(std::move(one));
}

void TierCache::PutFailure(absl::string_view user, absl::Duration now) {
  MutexLock lock(&mutex_);
  Room one = Extract(user);
  Entry& entry = one.front();
  entry.aging_from = now + spec_.negative_ttl;
  entry.expires_at = std::max(entry.expires_at, entry.aging_from);
  Put(std::move(one));
}

TierCache::Room TierCache::Extract(absl::string_view user) {
  Room one;
  const auto it = entries_.find(user);
  if (it == entries_.end()) {
    one.emplace_back().user = std::string(user);
    entries_.emplace(one.front().user, one.begin());
  } else {
    one.splice(one.begin(), RoomOf(*it->second), it->second);
  }
  return one;
}

void TierCache::Put(Room one) {
  Room& room = RoomOf(one.front());
  room.splice(room.end(), one);
  if (room.size() <= spec_.max_cached) return;
  entries_.erase(room.front().user);
  room.pop_front();
}

size_t TierCache::size() const {
  ReaderMutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace rls
