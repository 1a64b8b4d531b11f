#ifndef RLS_TESTS_UNIT_LEASE_SIMULATION_H_
#define RLS_TESTS_UNIT_LEASE_SIMULATION_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "fake_clock.h"
#include "fake_loop.h"
#include "limit/lease.h"
#include "metrics/metrics.h"
#include "store/counter_store.h"
#include "store_lease/lease_store.h"
#include "store_lease/lease_table.h"

namespace rls {

// Replicas that lease units of one counter from a store far away, on clocks of
// their own, in steps of a millisecond; what is lost, slow or dies on the way
// is thrown by dice. docs/LEASES.md states the bounds that it checks.
struct SimulationPlan {
  unsigned seed = 1;
  Policy policy;
  LeaseTerms terms;
  int replicas = 4;
  absl::Duration length = absl::Seconds(20);
  // Requests of a replica in a millisecond: a mean, thrown anew every second.
  double least_rate = 0.2;
  double most_rate = 0.8;
  // Every other second there are a tenth of them.
  bool alternates = false;
  // Faults: of a thousand takes, and how often a replica dies (0: never).
  int lost_ppt = 0;
  int slow_ppt = 0;
  absl::Duration mean_life;
};

// What became of the units, by the time of the store at which they were used.
struct WindowSum {
  int64_t offered = 0;
  int64_t admitted = 0;
  // Charged to the store, but used by nobody: answers that got lost, leases
  // that died with their replica.
  int64_t lost = 0;
};

class LeaseSimulation {
 public:
  explicit LeaseSimulation(const SimulationPlan& plan);
  ~LeaseSimulation();

  void Run();

  // By the start of the window.
  const std::map<absl::Time, WindowSum>& windows() const { return windows_; }
  // Units admitted in each millisecond of the store's time.
  const std::map<absl::Time, int64_t>& admitted() const { return admitted_; }
  int64_t requests() const { return requests_; }
  int64_t takes() const { return takes_; }
  int crashes() const { return crashes_; }
  // What a replica may hold at most.
  int64_t share() const;

 private:
  class Link;
  struct Replica;
  struct Request;
  struct Trip;

  void Step();
  double AnyRate();
  void Ask(Replica& replica);
  void Admit(absl::Time at, int64_t units);
  WindowSum& WindowOf(absl::Time at);
  void Crash(Replica& replica);
  bool OneIn(int64_t n) { return Below(n) == 0; }
  int64_t Below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(dice_);
  }

  const SimulationPlan plan_;
  std::mt19937_64 dice_;
  FakeClock clock_;  // the store's
  const std::unique_ptr<CounterStore> store_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  Request* asking_ = nullptr;  // the one that is in Take() now
  std::map<absl::Time, WindowSum> windows_;
  std::map<absl::Time, int64_t> admitted_;
  int64_t requests_ = 0;
  int64_t takes_ = 0;
  int crashes_ = 0;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LEASE_SIMULATION_H_
