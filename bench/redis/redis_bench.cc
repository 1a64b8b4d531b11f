// How many decisions a second a Redis gives us, and what each costs it and us.
// One line of JSON per case; bench/redis/run starts the servers, runs it in
// rounds and prints the medians.

#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/log.h"
#include "metrics/metrics.h"
#include "redis/load.h"
#include "redis/naive_store.h"
#include "store_redis/redis_store.h"

namespace rls {
namespace {

bool ReadOptions(int argc, char** argv, LoadOptions& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const absl::string_view name = argv[i];
    const char* value = argv[i + 1];
    bool ok = true;
    if (name == "--url") {
      options.url = value;
    } else if (name == "--redis-pid") {
      ok = absl::SimpleAtoi(value, &options.redis_pids.emplace_back());
    } else if (name == "--store") {
      options.store = value;
    } else if (name == "--connections") {
      ok = absl::SimpleAtoi(value, &options.connections);
    } else if (name == "--policy") {
      options.policy = value;
    } else if (name == "--descriptors") {
      ok = absl::SimpleAtoi(value, &options.descriptors);
    } else if (name == "--keys") {
      ok = absl::SimpleAtoi(value, &options.keys);
    } else if (name == "--in-flight") {
      ok = absl::SimpleAtoi(value, &options.in_flight);
    } else if (name == "--threads") {
      ok = absl::SimpleAtoi(value, &options.threads);
    } else if (name == "--rate") {
      ok = absl::SimpleAtod(value, &options.rate);
    } else if (name == "--seconds") {
      ok = absl::SimpleAtod(value, &options.seconds);
    } else {
      ok = false;
    }
    if (!ok) return false;
  }
  return argc % 2 == 1 && !options.url.empty();
}

int Run(const LoadOptions& options) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  SetLogLevel(LogLevel::kError);
  const auto clock = NewSystemClock();
  const auto metrics = NewMetrics();
  const auto target = ParseRedisUrl(options.url);
  if (!target.ok()) return 2;
  // No answer is thrown away: at full load a batch may take longer than is
  // right for a service.
  const RedisStoreOptions store_options = {
      .target = *target,
      .key_prefix = "",
      .hash_secret = "",
      .command_timeout = absl::Seconds(5),
      .threads = options.threads,
      .seed = RandomSeed(),
  };
  std::unique_ptr<RedisStore> store;
  if (options.store == "naive") {
    store = NewNaiveStore(store_options, options.connections);
  } else {
    auto made = NewRedisStore(store_options, *clock, *metrics);
    if (!made.ok()) return 2;
    store = *std::move(made);
  }
  while (!store->ready()) std::this_thread::yield();
  RunLoad(options, *store);
  return 0;
}

}  // namespace
}  // namespace rls

int main(int argc, char** argv) {
  rls::LoadOptions options;
  if (!rls::ReadOptions(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: redis_bench --url URL [--redis-pid PID]... "
                 "[--store ours|naive] [--connections N] [--policy P] "
                 "[--descriptors N] [--keys N] "
                 "[--in-flight N] [--threads N] [--rate R] "
                 "[--seconds S]\n");
    return 2;
  }
  return rls::Run(options);
}
