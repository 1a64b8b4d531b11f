#include "unit/store/counter_store_suite.h"

#include <deque>
#include <latch>
#include <thread>
#include <utility>

#include "store/memory/memory_store.h"
#include "support/redis_cluster.h"
#include "unit/store/redis/redis_fixture.h"

namespace rls {

namespace {

// A store and its servers, which end with it.
class StoreOverOwn final : public CounterStore {
 public:
  StoreOverOwn(std::shared_ptr<const void> servers,
               std::unique_ptr<TestRedisStore> store)
      : servers_(std::move(servers)), store_(std::move(store)) {}

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    store_->Take(charges, accounting, deadline, std::move(done));
  }

 private:
  const std::shared_ptr<const void> servers_;
  const std::unique_ptr<TestRedisStore> store_;
};

// The servers use the test's clock.

std::unique_ptr<CounterStore> OverOneRedis(FakeClock& clock,
                                           const TestRedisOptions& options) {
  const auto redis =
      std::make_shared<RedisProcess>(RedisProcessOptions{.clock = &clock});
  return std::make_unique<StoreOverOwn>(
      redis, NewReadyRedisStore(*redis, clock, options));
}

// The second Redis has the limits per second.
std::unique_ptr<CounterStore> OverTwoRedises(FakeClock& clock) {
  struct Servers {
    explicit Servers(const RedisProcessOptions& options)
        : rest(options), per_second(options) {}
    RedisProcess rest;
    RedisProcess per_second;
  };
  const auto servers =
      std::make_shared<Servers>(RedisProcessOptions{.clock = &clock});
  return std::make_unique<StoreOverOwn>(
      servers, NewReadyRedisStore(servers->rest, clock,
                                  {.per_second = &servers->per_second}));
}

// Most counters of the suite are on different servers.
std::unique_ptr<CounterStore> OverACluster(FakeClock& clock) {
  const auto cluster =
      std::make_shared<RedisCluster>(RedisClusterOptions{.clock = &clock});
  return std::make_unique<StoreOverOwn>(
      cluster,
      NewReadyRedisStore(*ParseRedisUrl("redis+cluster://" + cluster->hosts()),
                         clock, {}));
}

}  // namespace

std::vector<StoreKind> AllStores() {
  return {
      {.name = "Memory",
       .tick = absl::Nanoseconds(1),
       .make = [](FakeClock& clock) { return NewMemoryStore(clock, {}); },
       .in_process = true},
      {.name = "Redis",
       .tick = absl::Microseconds(1),
       .make = [](FakeClock& clock) { return OverOneRedis(clock, {}); }},
      // Asks Redis each time, even for a counter that is known to be exhausted.
      {.name = "RedisWithoutDenyCache",
       .tick = absl::Microseconds(1),
       .make =
           [](FakeClock& clock) {
             return OverOneRedis(clock, {.deny_cache_entries = 0});
           }},
      {.name = "RedisPerSecond",
       .tick = absl::Microseconds(1),
       .make = OverTwoRedises,
       .atomic = false},
      {.name = "RedisCluster",
       .tick = absl::Microseconds(1),
       .make = OverACluster,
       .atomic = false},
  };
}

std::ostream& operator<<(std::ostream& out, const TestCharge& charge) {
  constexpr const char* kKinds[] = {"enforce", "observe", "report", "peek",
                                    "probe"};
  const Policy& policy = charge.policy;
  if (charge.booking.has_value()) {
    out << "waiting " << charge.booking->max_wait << " among "
        << charge.booking->max_queued << " ";
    if (charge.booking->slot.has_value()) {
      out << "giving back " << *charge.booking->slot << " ";
    }
  }
  return out << kKinds[static_cast<int>(charge.kind)] << " " << charge.cost
             << " of " << charge.key << ", " << AlgorithmWord(policy.algorithm)
             << " " << CalendarWord(policy.calendar) << policy.window
             << " limit " << policy.limit << " burst " << policy.burst
             << (policy.burst_mode == BurstMode::kUpfront ? " upfront" : "")
             << (policy.queue ? " queue" : "");
}

bool operator==(const Outcome& a, const Outcome& b) {
  return a.allowed == b.allowed && a.remaining == b.remaining &&
         a.reset_after == b.reset_after && a.retry_after == b.retry_after &&
         a.wait == b.wait && a.slot == b.slot && a.crowded == b.crowded;
}

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << (outcome.allowed ? "allowed" : "refused") << ", remaining "
             << outcome.remaining << ", reset after " << outcome.reset_after
             << ", retry after " << outcome.retry_after << ", wait "
             << outcome.wait << (outcome.crowded ? ", crowded" : "")
             << ", slot " << outcome.slot;
}

namespace {

// One pending take. It owns the texts of its charges until the store is done.
class Pending {
 public:
  explicit Pending(const std::vector<TestCharge>& charges) : charges_(charges) {
    for (const TestCharge& charge : charges_) parts_.push_back(charge.key);
    for (size_t i = 0; i < charges_.size(); ++i) {
      taken_.push_back({.policy = &charges_[i].policy,
                        .key = {.scope = "suite", .parts = {&parts_[i], 1}},
                        .cost = charges_[i].cost,
                        .kind = charges_[i].kind,
                        .refundable = charges_[i].refundable,
                        .booking = charges_[i].booking.has_value()
                                       ? &*charges_[i].booking
                                       : nullptr});
    }
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  void Start(CounterStore& store, Accounting accounting, absl::Time deadline) {
    store.Take(taken_, accounting, deadline,
               [this](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                 if (outcomes.ok()) {
                   result_.emplace(outcomes->begin(), outcomes->end());
                 } else {
                   result_ = outcomes.status();
                 }
                 done_.count_down();
               });
  }

  absl::StatusOr<std::vector<Outcome>> Wait() {
    done_.wait();
    return std::move(result_);
  }

 private:
  const std::vector<TestCharge> charges_;
  std::vector<absl::string_view> parts_;
  std::vector<Charge> taken_;
  absl::StatusOr<std::vector<Outcome>> result_;
  std::latch done_{1};
};

}  // namespace

absl::StatusOr<std::vector<Outcome>> TakeAndWait(
    CounterStore& store, const std::vector<TestCharge>& charges,
    Accounting accounting, absl::Time deadline) {
  Pending pending(charges);
  pending.Start(store, accounting, deadline);
  return pending.Wait();
}

std::vector<absl::StatusOr<std::vector<Outcome>>> TakeAllAtOnce(
    CounterStore& store, const std::vector<std::vector<TestCharge>>& takes,
    Accounting accounting, size_t threads) {
  std::deque<Pending> pending;
  for (const auto& charges : takes) pending.emplace_back(charges);
  std::vector<std::thread> starters;
  for (size_t first = 0; first < threads; ++first) {
    starters.emplace_back([&, first] {
      for (size_t i = first; i < pending.size(); i += threads) {
        pending[i].Start(store, accounting, absl::InfiniteFuture());
      }
    });
  }
  for (std::thread& starter : starters) starter.join();
  std::vector<absl::StatusOr<std::vector<Outcome>>> results;
  for (Pending& take : pending) results.push_back(take.Wait());
  return results;
}

}  // namespace rls
