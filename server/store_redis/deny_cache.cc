#include "store_redis/deny_cache.h"

#include <array>

namespace rls {
namespace {

// Counters whose hashes meet in one stripe keep this many places.
constexpr size_t kPlaces = 4;

}  // namespace

struct alignas(64) DenyCache::Stripe {
  struct Entry {
    Hash128 counter;
    Known known;
  };

  Mutex mutex;
  std::array<Entry, kPlaces> entries ABSL_GUARDED_BY(mutex);

  Entry* Find(const Hash128& counter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    for (Entry& entry : entries) {
      if (entry.counter == counter) return &entry;
    }
    return nullptr;
  }
};

DenyCache::DenyCache(size_t entries, absl::Duration max_age)
    : stripes_((entries + kPlaces - 1) / kPlaces),
      max_age_(max_age),
      table_(stripes_ == 0 ? nullptr : new Stripe[stripes_]) {}

DenyCache::~DenyCache() = default;

DenyCache::Stripe& DenyCache::StripeOf(const Hash128& counter) const {
  return table_[counter.high % stripes_];
}

void DenyCache::Remember(const Hash128& counter, const Known& known) {
  if (stripes_ == 0) return;
  Stripe& stripe = StripeOf(counter);
  const MutexLock lock(&stripe.mutex);
  Stripe::Entry* place = stripe.Find(counter);
  if (place == nullptr) {
    // The one that would be forgotten first anyway.
    place = &stripe.entries[0];
    for (Stripe::Entry& entry : stripe.entries) {
      if (entry.known.asked_at < place->known.asked_at) place = &entry;
    }
  }
  *place = {counter, known};
}

void DenyCache::Forget(const Hash128& counter) {
  if (stripes_ == 0) return;
  Stripe& stripe = StripeOf(counter);
  const MutexLock lock(&stripe.mutex);
  if (Stripe::Entry* entry = stripe.Find(counter)) *entry = {};
}

std::optional<DenyCache::Known> DenyCache::Find(const Hash128& counter,
                                                absl::Duration elapsed) const {
  if (stripes_ == 0) return std::nullopt;
  Stripe& stripe = StripeOf(counter);
  const MutexLock lock(&stripe.mutex);
  const Stripe::Entry* entry = stripe.Find(counter);
  if (entry == nullptr || elapsed - entry->known.asked_at > max_age_)
    return std::nullopt;
  return entry->known;
}

}  // namespace rls
