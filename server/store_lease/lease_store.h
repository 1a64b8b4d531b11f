#ifndef RLS_STORE_LEASE_LEASE_STORE_H_
#define RLS_STORE_LEASE_LEASE_STORE_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "store/counter_store.h"

namespace rls {

// A store in front of one that is shared and far away: charges with lease terms
// (Charge::lease) are served from units that it has leased from that one, all
// others are asked there. docs/LEASES.md says what stays exact.
//
// Threads and failure: as CounterStore.
class LeaseStore : public CounterStore {
 public:
  // Gives back all that is leased, and leases no more. `done` runs when the
  // other store has answered, perhaps at once.
  virtual void ReturnAll(absl::AnyInvocable<void()> done) = 0;
};

// `store`, which goes first, must answer all takes until the end. `loop` tells
// when leases end; it does not run any more when the lease store is destroyed.
std::unique_ptr<LeaseStore> NewLeaseStore(CounterStore& store, EventLoop& loop,
                                          const Clock& clock, Metrics& metrics);

}  // namespace rls

#endif  // RLS_STORE_LEASE_LEASE_STORE_H_
