#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "benchmark/benchmark.h"
#include "store/memory/memory_store.h"

namespace rls {
namespace {

constexpr int64_t kUsers = 1'000'000;
// A prime, far from a cache line: walks over all users so that every access
// misses the CPU caches, like real traffic.
constexpr int64_t kStride = 611'953;

const Policy kHourly = {.limit = kMaxAmount, .window = absl::Hours(1)};

const Clock& SystemClock() {
  static const Clock& clock = *NewSystemClock().release();
  return clock;
}

// Charges one unit to the counter of each name, in one take.
void ChargeAll(CounterStore& store, absl::Span<const absl::string_view> names) {
  Charge charges[8];
  for (size_t i = 0; i < names.size(); ++i) {
    charges[i] = {.policy = &kHourly,
                  .key = {.scope = "bench|fixed|1h", .parts = {&names[i], 1}}};
  }
  store.Take({charges, names.size()}, Accounting::kAllOrNothing,
             absl::InfiniteFuture(),
             [](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
               if (!outcomes.ok()) std::abort();
               Outcome first = (*outcomes)[0];
               benchmark::DoNotOptimize(first);
             });
}

std::unique_ptr<CounterStore> NewStore(size_t max_counters) {
  return NewMemoryStore(SystemClock(),
                        {.max_counters = max_counters, .seed = RandomSeed()});
}

const std::vector<std::string>& Users() {
  static const auto& users = *[] {
    auto* names = new std::vector<std::string>;
    for (int64_t i = 0; i < kUsers; ++i) {
      names->push_back(absl::StrCat("user-", i));
    }
    return names;
  }();
  return users;
}

// One store for all threads of a benchmark, with every user's counter in it.
CounterStore& StoreOfAMillion() {
  static CounterStore& store = *[] {
    auto filled = NewStore(2 * kUsers);
    for (const absl::string_view user : Users()) ChargeAll(*filled, {&user, 1});
    return filled.release();
  }();
  return store;
}

void OneHotCounter(benchmark::State& bench) {
  CounterStore& store = StoreOfAMillion();
  const absl::string_view user = Users()[0];
  for (auto _ : bench) ChargeAll(store, {&user, 1});
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(OneHotCounter)->ThreadRange(1, 2)->UseRealTime();

void AMillionCounters(benchmark::State& bench) {
  CounterStore& store = StoreOfAMillion();
  const std::vector<std::string>& users = Users();
  int64_t next = bench.thread_index();
  for (auto _ : bench) {
    next = (next + kStride) % kUsers;
    const absl::string_view user = users[static_cast<size_t>(next)];
    ChargeAll(store, {&user, 1});
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(AMillionCounters)->ThreadRange(1, 2)->UseRealTime();

// A request with several limits locks several shards together.
void CountersOfOneTake(benchmark::State& bench) {
  CounterStore& store = StoreOfAMillion();
  const std::vector<std::string>& users = Users();
  std::vector<absl::string_view> names(static_cast<size_t>(bench.range(0)));
  int64_t next = 0;
  for (auto _ : bench) {
    for (absl::string_view& name : names) {
      next = (next + kStride) % kUsers;
      name = users[static_cast<size_t>(next)];
    }
    ChargeAll(store, names);
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(CountersOfOneTake)->Arg(2)->Arg(4)->Arg(8);

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Every charge creates a new counter. `bytes` is its cost in resident memory.
void NewCounters(benchmark::State& bench) {
  const double before = ResidentBytes();
  const auto store = NewStore(SIZE_MAX);
  int64_t next = 0;
  for (auto _ : bench) {
    const absl::AlphaNum name(++next);
    const absl::string_view user = name.Piece();
    ChargeAll(*store, {&user, 1});
  }
  bench.SetItemsProcessed(bench.iterations());
  bench.counters["bytes"] =
      (ResidentBytes() - before) / static_cast<double>(bench.iterations());
}
BENCHMARK(NewCounters)->Iterations(1'000'000);

// The cost of a flood of new names while the store is full of live counters.
void RefusedByAFullStore(benchmark::State& bench) {
  const auto store = NewStore(kUsers);
  for (const absl::string_view user : Users()) ChargeAll(*store, {&user, 1});
  const absl::string_view name = "one more";
  const Charge charge = {.policy = &kHourly,
                         .key = {.scope = "full", .parts = {&name, 1}}};
  for (auto _ : bench) {
    store->Take({&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
                [](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
                  if (outcomes.ok()) std::abort();
                });
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(RefusedByAFullStore);

}  // namespace
}  // namespace rls
