#include <cstdint>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "limit/judge.h"
#include "limit/key_hash.h"

namespace rls {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'002'800);

// One unit each microsecond: mostly admitted, with a new window each minute.
void Judging(benchmark::State& bench, const Policy& policy) {
  CounterState state;
  int64_t step = 0;
  for (auto _ : bench) {
    Transition transition = Judge(policy, state, ChargeKind::kEnforce, 1,
                                  kStart + absl::Microseconds(++step));
    benchmark::DoNotOptimize(transition.outcome);
    state = transition.after;
  }
  bench.SetItemsProcessed(bench.iterations());
}

// The limit is used up: each charge is refused, with a retry_after.
void Refusing(benchmark::State& bench, const Policy& policy) {
  const CounterState full = Judge(policy, {}, ChargeKind::kReport,
                                  policy.limit + policy.burst + 1, kStart)
                                .after;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(
        Judge(policy, full, ChargeKind::kEnforce, 1, kStart).outcome);
  }
  bench.SetItemsProcessed(bench.iterations());
}

Policy Berlin() {
  Policy policy = {.calendar = Calendar::kDay, .limit = 100'000'000};
  absl::LoadTimeZone("Europe/Berlin", &policy.zone);
  return policy;
}

const Policy kFixedWindow = {.limit = 100'000'000, .burst = 1000};
const Policy kSlidingWindow = {.algorithm = Algorithm::kSlidingWindow,
                               .limit = 100'000'000};
const Policy kTokenBucket = {
    .algorithm = Algorithm::kTokenBucket, .limit = 100'000'000, .burst = 1000};

BENCHMARK_CAPTURE(Judging, fixed_window, kFixedWindow);
BENCHMARK_CAPTURE(Judging, calendar_day, Berlin());
BENCHMARK_CAPTURE(Judging, sliding_window, kSlidingWindow);
BENCHMARK_CAPTURE(Judging, token_bucket, kTokenBucket);
BENCHMARK_CAPTURE(Refusing, fixed_window, kFixedWindow);
BENCHMARK_CAPTURE(Refusing, calendar_day, Berlin());
BENCHMARK_CAPTURE(Refusing, sliding_window, kSlidingWindow);
BENCHMARK_CAPTURE(Refusing, token_bucket, kTokenBucket);

void HashingAKey(benchmark::State& bench) {
  const absl::string_view parts[] = {"user_id", "user-1234567"};
  const CounterKey key = {.scope = "6:domain|fixed|1m", .parts = parts};
  const HashSeed seed = {.k0 = 1, .k1 = 2};
  for (auto _ : bench) benchmark::DoNotOptimize(HashKey(seed, key));
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(HashingAKey);

}  // namespace
}  // namespace rls
