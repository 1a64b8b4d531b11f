#ifndef RLS_STORE_MEMORY_MEMORY_STORE_H_
#define RLS_STORE_MEMORY_MEMORY_STORE_H_

#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "limit/key_hash.h"
#include "store/counter_store.h"

namespace rls {

struct MemoryStoreOptions {
  // Live counters at most. When full, expired ones are dropped first; a live
  // counter is never dropped: a charge that would need a new counter fails with
  // RESOURCE_EXHAUSTED instead.
  size_t max_counters = 10'000'000;
  // A 128-bit hash keyed with this stands for the counter key.
  HashSeed seed;
};

// Counters in this process: sharded, exact under concurrency, at most 96 bytes
// of resident memory each whatever the key's length. Expired counters are
// dropped a few at a time by the calls that add new ones; their memory is used
// again, not given back.
class MemoryStore : public CounterStore {
 public:
  // Counters held now, expired ones that are not yet dropped included.
  virtual size_t size() const = 0;
};

// `clock` must outlive the store. `done` always runs before Take() returns.
std::unique_ptr<MemoryStore> NewMemoryStore(const Clock& clock,
                                            const MemoryStoreOptions& options);

}  // namespace rls

#endif  // RLS_STORE_MEMORY_MEMORY_STORE_H_
