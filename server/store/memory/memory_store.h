#ifndef RLS_STORE_MEMORY_MEMORY_STORE_H_
#define RLS_STORE_MEMORY_MEMORY_STORE_H_

#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "limit/key_hash.h"
#include "store/counter_store.h"

namespace rls {

// The most resident memory of a counter, with its share of the tables.
inline constexpr size_t kBytesPerCounter = 96;

struct MemoryStoreOptions {
  // The most live counters. A full store drops expired counters first. It never
  // drops a live counter: a take that needs a new counter then fails with
  // RESOURCE_EXHAUSTED.
  size_t max_counters = 10'000'000;
  // The same as a bound on memory: max_bytes / kBytesPerCounter counters.
  size_t max_bytes = size_t{4} << 30;
  // The key of the 128-bit hash that replaces the counter key.
  HashSeed seed;
};

// Counters in the memory of this process: sharded, exact under concurrency, at
// most kBytesPerCounter of resident memory each for keys of any length. Takes
// that add new counters also drop a few expired ones; their memory is used
// again, but not returned to the system.
class MemoryStore : public CounterStore {
 public:
  // The number of counters, including expired ones that are not dropped yet.
  virtual size_t size() const = 0;
};

// `clock` must outlive the store. `done` always runs before Take() returns.
std::unique_ptr<MemoryStore> NewMemoryStore(const Clock& clock,
                                            const MemoryStoreOptions& options);

}  // namespace rls

#endif  // RLS_STORE_MEMORY_MEMORY_STORE_H_
