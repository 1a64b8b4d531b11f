#include "store/redis/deny_cache.h"

namespace rls {

DenyCache::DenyCache(size_t entries, absl::Duration max_age)
    : max_age_(max_age) {
  if (entries > 0) table_.emplace(entries);
}

void DenyCache::Remember(const Hash128& counter, const Known& known) {
  if (!table_.has_value()) return;
  table_->FindOrMake(counter, [&](Entry* entry) { entry->known = known; });
}

void DenyCache::Forget(const Hash128& counter) {
  if (!table_.has_value()) return;
  table_->Find(counter, [](Entry* entry) {
    if (entry != nullptr) *entry = {};
  });
}

std::optional<DenyCache::Known> DenyCache::Find(const Hash128& counter,
                                                absl::Duration elapsed) {
  std::optional<Known> known;
  if (!table_.has_value()) return known;
  table_->Find(counter, [&](const Entry* entry) {
    if (entry == nullptr) return;
    const absl::Duration age = elapsed - entry->known.asked_at;
    if (age >= absl::ZeroDuration() && age <= max_age_) {
      known = entry->known;
    }
  });
  return known;
}

}  // namespace rls
