#include "store/redis/redis_store.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/text.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "store/redis/deny_cache.h"
#include "store/redis/key_text.h"
#include "store/redis/router.h"
#include "store/redis/script_call.h"
#include "store/redis/worker.h"

namespace rls {
namespace {

constexpr absl::Duration kRepairsLogInterval = absl::Seconds(10);

// A number for the calling thread. Each thread always uses the same worker.
size_t ThreadNumber() {
  static std::atomic<size_t> next{0};
  thread_local const size_t number = next.fetch_add(1);
  return number;
}

class RedisStoreImpl final : public RedisStore, private CounterListener {
 public:
  RedisStoreImpl(const RedisStoreOptions& options, const Clock& clock,
                 Metrics& metrics, RedisServers servers,
                 std::optional<RedisServers> per_second)
      : options_(options),
        clock_(clock),
        cache_answers_(metrics.GetCounter(
            {.name = "ratelimitd_deny_cache_answers_total",
             .help = "Requests refused without a script call, because their "
                     "counter was known to be exhausted"})),
        repaired_(metrics.GetCounter(
            {.name = "ratelimitd_redis_repaired_keys_total",
             .help = "Keys in Redis whose value or time to live was not one "
                     "that ratelimitd sets, and which were repaired"})),
        repairs_log_(clock, kRepairsLogInterval),
        refusals_(clock),
        key_text_(options.key_prefix, options.hash_secret),
        deny_cache_(options.deny_cache_entries, MayBeSplit(options)
                                                    ? DenyCache::kMaxSplitAge
                                                    : DenyCache::kMaxAge),
        resolver_(NewResolver()),
        servers_(std::move(servers)),
        per_second_(std::move(per_second)) {
    WorkerDependencies dependencies = {
        .servers = servers_,
        .per_second = per_second_.has_value() ? &*per_second_ : nullptr,
        .resolver = *resolver_,
        .clock = clock_,
        .listener = *this,
        .refusals = refusals_,
        .key_prefix = options_.key_prefix,
        .command_timeout = absl::ToChronoNanoseconds(options_.command_timeout),
        .per_second_timeout = absl::ToChronoNanoseconds(
            options_.per_second_timeout.value_or(options_.command_timeout)),
    };
    for (EventLoop* const loop : options_.loops) {
      dependencies.loop = loop;
      workers_.push_back(std::make_unique<Worker>(dependencies));
    }
    for (int i = 0; options_.loops.empty() && i < std::max(1, options_.threads);
         ++i) {
      workers_.push_back(std::make_unique<Worker>(dependencies));
    }
  }

  // All threads end before the first worker is destroyed: another worker or the
  // resolver could still post a task to it.
  ~RedisStoreImpl() override {
    for (const auto& worker : workers_) worker->Stop();
    resolver_.reset();
  }

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      done(absl::DeadlineExceededError("the deadline has passed"));
      return;
    }
    if (charges.empty()) {
      done(absl::Span<const Outcome>());
      return;
    }
    const absl::Duration elapsed = clock_.Elapsed();
    if (charges.size() == 1 &&
        AnsweredFromCache(charges, accounting, elapsed, done)) {
      return;
    }
    Worker& worker = WorkerHere();
    // The first attempt may succeed between the first two questions.
    if (!worker.usable() && worker.attempted() && !worker.usable()) {
      done(absl::UnavailableError("Redis cannot be reached"));
      return;
    }
    auto take = std::make_unique<PendingTake>();
    take->charges = charges;
    take->accounting = accounting;
    take->done = std::move(done);
    take->taken_at = elapsed;
    const absl::Duration time_limit = TimeLimitOf(
        charges, options_.command_timeout, options_.per_second_timeout);
    take->by_caller = left < time_limit;
    take->time_limit = std::min(left, time_limit);
    NameCounters(*take);
    worker.Add(std::move(take));
  }

  bool ready() const override {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return worker->ready(); });
  }

  bool attempted() const override {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return worker->attempted(); });
  }

  std::string not_ready() const override {
    std::string refusal = refusals_.Current();
    if (!refusal.empty()) return refusal;
    if (ready()) return "";
    const std::string broken = refusals_.Broken();
    return broken.empty() ? "no answer from Redis"
                          : absl::StrCat("no connection to Redis: ", broken);
  }

 private:
  // The worker of the loop that this thread runs. Any other thread always gets
  // the same worker.
  Worker& WorkerHere() const {
    if (const EventLoop* const loop = RunningLoop();
        loop != nullptr && !options_.loops.empty()) {
      for (const auto& worker : workers_) {
        if (worker->RunsOn(loop)) return *worker;
      }
    }
    return *workers_[ThreadNumber() % workers_.size()];
  }

  // Whether takes may be split. A split take may give back units after other
  // takes have seen them.
  static bool MayBeSplit(const RedisStoreOptions& options) {
    return options.target.kind == RedisTarget::Kind::kCluster ||
           options.per_second.has_value();
  }

  // Sets the keys of a take, one for each different counter.
  void NameCounters(PendingTake& take) const {
    for (const Charge& charge : take.charges) {
      std::string key = key_text_.Write(charge.key);
      const auto it = std::find(take.keys.begin(), take.keys.end(), key);
      take.counter_of.push_back(static_cast<size_t>(it - take.keys.begin()));
      if (it == take.keys.end()) take.keys.push_back(std::move(key));
      if (charge.cost < 0 || AlwaysCharges(charge.kind)) {
        deny_cache_.Forget(HashOf(charge));
      }
    }
  }

  // Refuses the only charge of a take if the deny cache knows that its counter
  // is exhausted. A peek always goes to Redis, because it must be exact.
  bool AnsweredFromCache(absl::Span<const Charge> charges,
                         Accounting accounting, absl::Duration elapsed,
                         TakeCallback& done) {
    const Charge& charge = charges[0];
    // With independent accounting Redis must count the refused charges too.
    if (!IsRemembered(charge) || accounting == Accounting::kIndependent) {
      return false;
    }
    const auto known = deny_cache_.Find(HashOf(charge), elapsed);
    if (!known.has_value()) return false;
    constexpr size_t kOnlyCounter = 0;
    JudgedCounter counter = {.before = known->state, .after = known->state};
    Outcome outcome;
    JudgeAll({.charges = charges,
              .accounting = accounting,
              .counter_of = {&kOnlyCounter, 1}},
             known->RedisTimeAt(elapsed), {&counter, 1}, {&outcome, 1});
    if (outcome.allowed || outcome.remaining > 0) {
      // This take may change the counter, even if its reply gets lost. The
      // remembered state is then outdated.
      deny_cache_.Forget(HashOf(charge));
      return false;
    }
    cache_answers_.Add(1);
    outcome.from_memory = true;
    done(absl::MakeConstSpan(&outcome, 1));
    return true;
  }

  void OnExhausted(const PendingTake& take, const CounterState& state,
                   absl::Time now) override {
    const Charge& charge = take.charges[0];
    if (!IsRemembered(charge)) return;
    deny_cache_.Remember(
        HashOf(charge),
        {.state = state, .redis_now = now, .asked_at = take.taken_at});
  }

  void OnChanged(const Charge& charge) override {
    deny_cache_.Forget(HashOf(charge));
  }

  void OnRepaired(size_t count, absl::string_view key) override {
    repaired_.Add(static_cast<double>(count));
    repairs_log_.Warn(absl::StrCat(
        "Redis: the key ", Quoted(key),
        " had a value or a time to live that ratelimitd does not set; repaired",
        count == 1 ? "" : absl::StrCat(", and ", count - 1, " more")));
  }

  static bool IsRemembered(const Charge& charge) {
    return !charge.refundable && !charge.policy->queue && charge.cost > 0 &&
           (charge.kind == ChargeKind::kEnforce ||
            charge.kind == ChargeKind::kObserve);
  }

  Hash128 HashOf(const Charge& charge) const {
    return HashKey(options_.seed, charge.key);
  }

  const RedisStoreOptions options_;
  const Clock& clock_;
  Counter& cache_answers_;
  Counter& repaired_;
  LogThrottle repairs_log_;
  Refusals refusals_;
  const KeyText key_text_;
  mutable DenyCache deny_cache_;
  std::unique_ptr<Resolver> resolver_;
  const RedisServers servers_;
  const std::optional<RedisServers> per_second_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

absl::StatusOr<RedisServers> ServersAt(const RedisTarget& target) {
  RedisServers servers{.target = target, .tls = nullptr};
  if (!target.tls.has_value()) return servers;
  auto tls = NewTlsContext(*target.tls);
  if (!tls.ok()) return tls.status();
  servers.tls = *std::move(tls);
  return servers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisStore>> NewRedisStore(
    const RedisStoreOptions& options, const Clock& clock, Metrics& metrics) {
  absl::StatusOr<RedisServers> servers = ServersAt(options.target);
  if (!servers.ok()) return servers.status();
  std::optional<RedisServers> per_second;
  if (options.per_second.has_value()) {
    absl::StatusOr<RedisServers> made = ServersAt(*options.per_second);
    if (!made.ok()) return made.status();
    per_second = *std::move(made);
  }
  return std::make_unique<RedisStoreImpl>(
      options, clock, metrics, *std::move(servers), std::move(per_second));
}

}  // namespace rls
