// Measures the Redis store: decisions per second, and the CPU time of a
// decision in Redis and in the store. Prints one line of JSON. bench/redis/run
// starts the servers, runs this program in rounds, and prints the medians.

#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/log.h"
#include "metrics/metrics.h"
#include "redis/naive_store.h"
#include "store/counter_store.h"
#include "store/redis/redis_store.h"
#include "support/process_cpu.h"

namespace rls {
namespace {

// One case of bench/redis/run.
struct LoadOptions {
  std::string url;
  std::vector<int> redis_pids;
  std::string store = "ours";    // ours, naive
  int connections = 1;           // only of the naive store
  std::string policy = "plain";  // plain, earned, sliding, bucket
  int descriptors = 1;
  int keys = 100'000;
  int in_flight = 512;
  int threads = 1;
  double rate = 0;  // requests per second of the open loop; 0: closed loop
  double seconds = 3;
};

using SteadyClock = std::chrono::steady_clock;

// A request that is sent again and again.
struct Request {
  std::vector<std::string> users;
  std::vector<absl::string_view> parts;
  std::vector<Charge> charges;
  std::minstd_rand random;
  SteadyClock::time_point due;
};

Policy PolicyOf(const std::string& name) {
  Policy policy = {.limit = 1'000'000'000, .window = absl::Hours(1)};
  if (name == "earned" || name == "bucket") policy.burst = 1'000'000;
  if (name == "sliding") policy.algorithm = Algorithm::kSlidingWindow;
  if (name == "bucket") policy.algorithm = Algorithm::kTokenBucket;
  return policy;
}

// Sends takes for options.seconds, after a short warm-up, and prints one line
// of JSON.
class Load {
 public:
  Load(const LoadOptions& options, CounterStore& store)
      : options_(options), store_(store), policy_(PolicyOf(options.policy)) {
    for (int i = 0; i < options.in_flight; ++i) {
      auto request = std::make_unique<Request>();
      const auto descriptors = static_cast<size_t>(options.descriptors);
      request->users.resize(descriptors);
      request->parts.resize(2 * descriptors);
      request->charges.resize(descriptors);
      request->random.seed(static_cast<unsigned>(i + 1));
      requests_.push_back(std::move(request));
    }
  }

  // A constant number of requests is in flight: each is sent again when it is
  // answered.
  void RunClosed() {
    for (const auto& request : requests_) {
      Pick(*request);
      Send(*request);
    }
    Measure();
  }

  // Requests are due at fixed times, even if earlier requests have no answer
  // yet. The latency begins at the due time.
  void RunOpen() {
    std::thread pacer([this] {
      // Wakes the pacer at the due time, not up to 50 us later. The pacer must
      // not spin: it may share its core with the loop that answers.
      prctl(PR_SET_TIMERSLACK, 1);
      const auto gap = std::chrono::duration_cast<SteadyClock::duration>(
          std::chrono::duration<double>(1 / options_.rate));
      auto due = SteadyClock::now();
      while (!stopping_) {
        std::unique_ptr<Request> request = Idle();
        Pick(*request);
        due += gap;
        std::this_thread::sleep_until(due);
        request->due = due;
        Send(*request.release());
      }
    });
    Measure();
    pacer.join();
    // The answers of requests in flight use this object.
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] {
      return requests_.size() == static_cast<size_t>(options_.in_flight);
    });
  }

 private:
  // An idle request of the pool that the pacer and the answers share.
  std::unique_ptr<Request> Idle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !requests_.empty(); });
    auto request = std::move(requests_.back());
    requests_.pop_back();
    return request;
  }

  void Pick(Request& request) {
    std::uniform_int_distribution<int> key(0, options_.keys - 1);
    for (size_t i = 0; i < request.charges.size(); ++i) {
      request.users[i] = absl::StrCat("user-", key(request.random));
      request.parts[2 * i] = kNames[i % std::size(kNames)];
      request.parts[2 * i + 1] = request.users[i];
      request.charges[i] = {
          .policy = &policy_,
          .key = {.scope = scope_, .parts = {&request.parts[2 * i], 2}}};
    }
  }

  void Send(Request& request) {
    store_.Take(
        request.charges, Accounting::kAllOrNothing, absl::InfiniteFuture(),
        [this, &request](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
          OnAnswer(request, outcomes.ok());
        });
  }

  void OnAnswer(Request& request, bool ok) {
    (ok ? answers_ : errors_).fetch_add(1, std::memory_order_relaxed);
    if (options_.rate > 0) {
      const std::lock_guard lock(mutex_);
      latencies_us_.push_back(std::chrono::duration<double, std::micro>(
                                  SteadyClock::now() - request.due)
                                  .count());
      requests_.emplace_back(&request);
      idle_.notify_one();
      return;
    }
    if (stopping_) {
      ended_.fetch_add(1);
      return;
    }
    Pick(request);
    Send(request);
  }

  void Measure() {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    {
      const std::lock_guard lock(mutex_);
      latencies_us_.clear();
    }
    const auto redis_cpu = [this] {
      double sum = 0;
      for (const int pid : options_.redis_pids) sum += CpuSecondsOf(pid);
      return sum;
    };
    const int64_t answers = answers_;
    const int64_t errors = errors_;
    const double redis = redis_cpu();
    const double own = OwnCpuSeconds();
    const auto start = SteadyClock::now();
    std::this_thread::sleep_for(
        std::chrono::duration<double>(options_.seconds));
    const double seconds =
        std::chrono::duration<double>(SteadyClock::now() - start).count();
    const auto done = static_cast<double>(answers_ - answers);
    // JSON has no infinity. bench/redis/run refuses a result without decisions.
    const double us_each = done > 0 ? 1e6 / done : 0;
    std::string line = absl::StrCat(
        "{\"store\": \"", options_.store, "\", \"policy\": \"", options_.policy,
        "\", \"descriptors\": ", options_.descriptors,
        ", \"keys\": ", options_.keys, ", \"in_flight\": ", options_.in_flight,
        ", \"rate\": ", options_.rate,
        ", \"decisions_per_s\": ", done / seconds,
        ", \"errors\": ", errors_ - errors,
        ", \"own_cpu_us\": ", (OwnCpuSeconds() - own) * us_each,
        ", \"redis_cpu_us\": ", (redis_cpu() - redis) * us_each);
    stopping_ = true;
    if (options_.rate > 0) AppendLatencies(line);
    std::printf("%s}\n", line.c_str());
    while (options_.rate == 0 && ended_ < static_cast<int>(requests_.size())) {
      std::this_thread::yield();
    }
  }

  void AppendLatencies(std::string& line) {
    const std::lock_guard lock(mutex_);
    std::sort(latencies_us_.begin(), latencies_us_.end());
    for (const auto& [name, share] :
         {std::pair("p50_us", 0.5), {"p99_us", 0.99}, {"p999_us", 0.999}}) {
      const auto index = static_cast<size_t>(
          share * static_cast<double>(latencies_us_.size() - 1));
      absl::StrAppend(&line, ", \"", name, "\": ", latencies_us_.at(index));
    }
  }

  static constexpr absl::string_view kNames[] = {"user", "path", "tenant",
                                                 "model", "region"};

  const LoadOptions& options_;
  CounterStore& store_;
  const Policy policy_;
  const std::string scope_ = absl::StrCat("bench/", options_.policy, "/1h");
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> answers_{0};
  std::atomic<int64_t> errors_{0};
  std::atomic<int> ended_{0};
  std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<double> latencies_us_;
};

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
  // The long timeout keeps every answer: at full load a batch may take longer
  // than a service would accept.
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
  Load load(options, *store);
  options.rate > 0 ? load.RunOpen() : load.RunClosed();
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
