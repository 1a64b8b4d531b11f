#ifndef RLS_TESTS_UNIT_STORE_LEASE_LEASE_SIMULATION_H_
#define RLS_TESTS_UNIT_STORE_LEASE_LEASE_SIMULATION_H_

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
#include "store/lease/lease_store.h"
#include "store/lease/leased_counters.h"

namespace rls {

// A simulation in steps of a millisecond: replicas with clocks of their own
// lease units of one counter from a remote store. Dice decide which messages
// are lost or slow, and when a replica dies. The tests check the bounds of
// docs/LEASES.md.
struct SimulationPlan {
  unsigned seed = 1;
  Policy policy;
  LeaseTerms terms;
  int replicas = 4;
  absl::Duration length = absl::Seconds(20);
  // Mean number of requests per replica and millisecond. Random between these
  // bounds, with a new value every second.
  double least_rate = 0.2;
  double most_rate = 0.8;
  // Every other second has a tenth of the requests.
  bool alternates = false;
  // Faults: lost and slow takes per thousand, and the mean life of a replica
  // (0: replicas never die).
  int lost_ppt = 0;
  int slow_ppt = 0;
  absl::Duration mean_life;
};

// The units that were used at times of one window, by the store's clock.
struct WindowSum {
  int64_t offered = 0;
  int64_t admitted = 0;
  // Charged to the store but never used: lost answers, and leases of replicas
  // that died.
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
  // The most units that a replica may have on hand.
  int64_t share() const;

 private:
  class Link;
  struct Replica;
  struct Request;
  struct Trip;

  void Step();
  double AnyRate();
  void SendRequest(Replica& replica);
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
  std::map<absl::Time, WindowSum> windows_;
  std::map<absl::Time, int64_t> admitted_;
  int64_t requests_ = 0;
  int64_t takes_ = 0;
  int crashes_ = 0;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_STORE_LEASE_LEASE_SIMULATION_H_
