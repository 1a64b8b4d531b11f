#include "redis/load.h"

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
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "support/process_cpu.h"

namespace rls {
namespace {

using SteadyClock = std::chrono::steady_clock;

// One request that is asked again and again.
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

  void RunClosed() {
    for (const auto& request : requests_) {
      Pick(*request);
      Ask(*request);
    }
    Measure();
  }

  // A request is due at its time whether or not earlier ones have come back;
  // latency counts from then.
  void RunOpen() {
    std::thread pacer([this] {
      // To wake when it is due, not up to 50 us later. It must not spin until
      // then: it may share its core with the loop that answers.
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
        Ask(*request.release());
      }
    });
    Measure();
    pacer.join();
    // Those on their way come back to this object.
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] {
      return requests_.size() == static_cast<size_t>(options_.in_flight);
    });
  }

 private:
  // Shares one pool between the pacer and the answers.
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

  void Ask(Request& request) {
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
    Ask(request);
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
    // JSON has no word for a cost of nothing done; bench/redis/run refuses it.
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
    for (const auto& [name, part] :
         {std::pair("p50_us", 0.5), {"p99_us", 0.99}, {"p999_us", 0.999}}) {
      const auto index = static_cast<size_t>(
          part * static_cast<double>(latencies_us_.size() - 1));
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

}  // namespace

void RunLoad(const LoadOptions& options, CounterStore& store) {
  Load load(options, store);
  options.rate > 0 ? load.RunOpen() : load.RunClosed();
}

}  // namespace rls
