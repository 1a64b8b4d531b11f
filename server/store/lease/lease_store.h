#ifndef RLS_STORE_LEASE_LEASE_STORE_H_
#define RLS_STORE_LEASE_LEASE_STORE_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"

namespace rls {

// A store in front of a shared, remote store. It serves charges that have lease
// terms (Charge::lease) from units that it has leased from the shared store,
// and passes all other charges on. docs/LEASES.md states what stays exact.
//
// Threads and failure: as CounterStore.
class LeaseStore : public CounterStore {
 public:
  // Returns all leased units and leases no more. `done` runs when the shared
  // store has answered, possibly before ReturnAll() returns.
  virtual void ReturnAll(absl::AnyInvocable<void()> done) = 0;
};

// `store` is the shared store. It must answer all takes before it is destroyed,
// and it is destroyed before the lease store. `loop` runs the timers of leases;
// it must have stopped when the lease store is destroyed.
std::unique_ptr<LeaseStore> NewLeaseStore(CounterStore& store, EventLoop& loop,
                                          const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASE_STORE_H_
