#include "store_lease/lease_table.h"

#include <array>

namespace rls {
namespace {

// Counters whose hashes meet in one stripe keep this many places.
constexpr size_t kPlaces = 4;
constexpr size_t kStripes = LeaseTable::kMaxCounters / kPlaces;

}  // namespace

LeasedKey::LeasedKey(const Charge& charge)
    : policy_(*charge.policy),
      scope_(charge.key.scope),
      tag_part_(charge.key.tag_part),
      secret_(charge.key.secret) {
  parts_.reserve(charge.key.parts.size());  // the views point into it
  for (const absl::string_view part : charge.key.parts) {
    views_.push_back(parts_.emplace_back(part));
  }
}

CounterKey LeasedKey::key() const {
  return {.scope = scope_,
          .parts = views_,
          .tag_part = tag_part_,
          .secret = secret_};
}

std::optional<absl::Duration> LeaseTable::Place::AwaitNextEnd() {
  if (awaits_end) return std::nullopt;
  const std::optional<absl::Duration> end = counter.NextEnd();
  awaits_end = end.has_value();
  return end;
}

struct alignas(64) LeaseTable::Stripe {
  Mutex mutex;
  std::array<Place, kPlaces> places ABSL_GUARDED_BY(mutex);

  Place* Find(const Hash128& hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    for (Place& place : places) {
      if (place.hash == hash) return &place;
    }
    return nullptr;
  }

  Place* FindOrMake(const Hash128& hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (Place* const known = Find(hash)) return known;
    Place* oldest = nullptr;
    for (Place& place : places) {
      if (place.busy()) continue;
      if (oldest == nullptr ||
          place.counter.last_asked() < oldest->counter.last_asked()) {
        oldest = &place;
      }
    }
    if (oldest != nullptr) {
      *oldest = Place();
      oldest->hash = hash;
    }
    return oldest;
  }
};

LeaseTable::LeaseTable() = default;
LeaseTable::~LeaseTable() = default;

LeaseTable::Stripe* LeaseTable::Stripes() {
  std::call_once(made_, [this] { stripes_.reset(new Stripe[kStripes]); });
  return stripes_.get();
}

void LeaseTable::With(const Hash128& hash,
                      absl::FunctionRef<void(Place*)> use) {
  Stripe& stripe = Stripes()[hash.high % kStripes];
  const MutexLock lock(&stripe.mutex);
  use(stripe.FindOrMake(hash));
}

void LeaseTable::WithKnown(const Hash128& hash,
                           absl::FunctionRef<void(Place&)> use) {
  Stripe& stripe = Stripes()[hash.high % kStripes];
  const MutexLock lock(&stripe.mutex);
  if (Place* const place = stripe.Find(hash)) use(*place);
}

void LeaseTable::ForEachBusy(absl::FunctionRef<void(Place&)> use) {
  Stripe* const stripes = Stripes();
  for (size_t i = 0; i < kStripes; ++i) {
    const MutexLock lock(&stripes[i].mutex);
    for (Place& place : stripes[i].places) {
      if (place.busy()) use(place);
    }
  }
}

}  // namespace rls
