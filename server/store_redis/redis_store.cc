#include "store_redis/redis_store.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "store_redis/deny_cache.h"
#include "store_redis/key_text.h"
#include "store_redis/worker.h"

namespace rls {
namespace {

// A number of the calling thread, so that each thread keeps to one worker.
size_t ThreadNumber() {
  static std::atomic<size_t> next{0};
  thread_local const size_t number = next.fetch_add(1);
  return number;
}

class RedisStoreImpl final : public RedisStore, private Exhausted {
 public:
  RedisStoreImpl(const RedisStoreOptions& options, const Clock& clock,
                 Metrics& metrics, RedisServers servers,
                 std::optional<RedisServers> per_second)
      : options_(options),
        clock_(clock),
        cache_answers_(metrics.GetCounter(
            {.name = "ratelimitd_deny_cache_answers_total",
             .help = "Requests refused from what was known of an exhausted "
                     "counter, without asking Redis"})),
        key_text_(options.key_prefix, options.hash_secret),
        deny_cache_(options.deny_cache_entries, MayBeSplit(options)
                                                    ? DenyCache::kMaxSplitAge
                                                    : DenyCache::kMaxAge),
        resolver_(NewResolver()),
        servers_(std::move(servers)),
        per_second_(std::move(per_second)) {
    WorkerParts parts = {
        .servers = servers_,
        .per_second = per_second_.has_value() ? &*per_second_ : nullptr,
        .resolver = *resolver_,
        .clock = clock_,
        .exhausted = *this,
        .command_timeout = absl::ToChronoNanoseconds(options_.command_timeout),
    };
    for (EventLoop* const loop : options_.loops) {
      parts.loop = loop;
      workers_.push_back(std::make_unique<Worker>(parts));
    }
    for (int i = 0; options_.loops.empty() && i < std::max(1, options_.threads);
         ++i) {
      workers_.push_back(std::make_unique<Worker>(parts));
    }
  }

  // No thread runs any more when the first worker goes: one of them, or the
  // resolver, might still have something for it.
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
    if (!worker.usable()) {
      done(absl::UnavailableError("Redis cannot be reached"));
      return;
    }
    auto take = std::make_unique<PendingTake>();
    take->charges = charges;
    take->accounting = accounting;
    take->done = std::move(done);
    take->asked_at = elapsed;
    take->by_caller = left < options_.command_timeout;
    take->answer_by =
        std::chrono::steady_clock::now() +
        absl::ToChronoNanoseconds(std::min(left, options_.command_timeout));
    NameCounters(*take);
    worker.Add(std::move(take));
  }

  bool ready() const override {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return worker->ready(); });
  }

 private:
  // That of the loop this thread runs, or else any, but always the same.
  Worker& WorkerHere() const {
    if (const EventLoop* const loop = RunningLoop();
        loop != nullptr && !options_.loops.empty()) {
      for (const auto& worker : workers_) {
        if (worker->LivesOn(loop)) return *worker;
      }
    }
    return *workers_[ThreadNumber() % workers_.size()];
  }

  // Whether a take may go part by part, and give back what others have seen.
  static bool MayBeSplit(const RedisStoreOptions& options) {
    return options.target.kind == RedisTarget::Kind::kCluster ||
           options.per_second.has_value();
  }

  // The keys of a take, each counter once.
  void NameCounters(PendingTake& take) const {
    for (const Charge& charge : take.charges) {
      std::string key = key_text_.Write(charge.key);
      const auto it = std::find(take.keys.begin(), take.keys.end(), key);
      take.counter_of.push_back(static_cast<size_t>(it - take.keys.begin()));
      if (it == take.keys.end()) take.keys.push_back(std::move(key));
      if (charge.cost < 0 || charge.kind == ChargeKind::kReport) {
        deny_cache_.Forget(HashOf(charge));
      }
    }
  }

  // Whether the one charge is refused by what is known of its counter. A look
  // is never answered so: who looks wants the truth.
  bool AnsweredFromCache(absl::Span<const Charge> charges,
                         Accounting accounting, absl::Duration elapsed,
                         TakeCallback& done) {
    const Charge& charge = charges[0];
    // Independent accounting counts what it refuses: Redis must hear of it.
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
      // It may be charged now, also if no answer comes.
      deny_cache_.Forget(HashOf(charge));
      return false;
    }
    cache_answers_.Add(1);
    done(absl::MakeConstSpan(&outcome, 1));
    return true;
  }

  void OnExhausted(const PendingTake& take, const CounterState& state,
                   absl::Time now) override {
    const Charge& charge = take.charges[0];
    if (!IsRemembered(charge)) return;
    deny_cache_.Remember(
        HashOf(charge),
        {.state = state, .redis_now = now, .asked_at = take.asked_at});
  }

  void OnChanged(const Charge& charge) override {
    deny_cache_.Forget(HashOf(charge));
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
