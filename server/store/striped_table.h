#ifndef RLS_STORE_STRIPED_TABLE_H_
#define RLS_STORE_STRIPED_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/numeric/int128.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "limit/key_hash.h"

namespace rls {

// A hash table of fixed size that forgets. It consists of stripes of kPlaces
// entries with one lock each. A new key takes the place of the entry in its
// stripe that was used least recently.
//
// Entry is default-constructible and movable, and has
//   Hash128 key;                      set by the table
//   absl::Duration last_used() const; Clock::Elapsed(); zero when new
//   bool busy() const;                the table keeps a busy entry
//
// Threads: every method may be called by many threads at once. `use` runs under
// the lock of the stripe and must not call the table.
template <typename Entry>
class StripedTable {
 public:
  static constexpr size_t kPlaces = 4;

  // Holds `entries`, rounded up to whole stripes; at least one stripe.
  explicit StripedTable(size_t entries)
      : stripe_count_(entries <= kPlaces ? 1
                                         : (entries + kPlaces - 1) / kPlaces),
        stripes_(new Stripe[stripe_count_]) {}

  // Runs use(Entry*) for the entry of `key`; null if it has no entry.
  template <typename Use>
  void Find(const Hash128& key, Use&& use) {
    Stripe& stripe = StripeOf(key);
    const MutexLock lock(&stripe.mutex);
    use(stripe.Find(key));
  }

  // Runs use(Entry*) for the entry of `key`, and makes the entry if needed;
  // null if all entries of the stripe are busy.
  template <typename Use>
  void FindOrMake(const Hash128& key, Use&& use) {
    Stripe& stripe = StripeOf(key);
    const MutexLock lock(&stripe.mutex);
    Entry* const found = stripe.Find(key);
    use(found != nullptr ? found : stripe.Make(key));
  }

  // Runs use(Entry&) for each entry, unused places included.
  template <typename Use>
  void ForEach(Use&& use) {
    for (size_t i = 0; i < stripe_count_; ++i) {
      Stripe& stripe = stripes_[i];
      const MutexLock lock(&stripe.mutex);
      for (Entry& entry : stripe.entries) use(entry);
    }
  }

 private:
  struct alignas(64) Stripe {
    Mutex mutex;
    std::array<Entry, kPlaces> entries ABSL_GUARDED_BY(mutex);

    Entry* Find(const Hash128& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      for (Entry& entry : entries) {
        if (entry.key == key) return &entry;
      }
      return nullptr;
    }

    Entry* Make(const Hash128& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      Entry* oldest = nullptr;
      for (Entry& entry : entries) {
        if (entry.busy()) continue;
        if (oldest == nullptr || entry.last_used() < oldest->last_used()) {
          oldest = &entry;
        }
      }
      if (oldest == nullptr) return nullptr;
      *oldest = Entry();
      oldest->key = key;
      return oldest;
    }
  };

  // Maps the hash to a stripe without a division.
  Stripe& StripeOf(const Hash128& key) {
    return stripes_[absl::Uint128High64(absl::uint128(key.high) *
                                        stripe_count_)];
  }

  const size_t stripe_count_;
  const std::unique_ptr<Stripe[]> stripes_;
};

}  // namespace rls

#endif  // RLS_STORE_STRIPED_TABLE_H_
