#include "app/app.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "admin/admin_server.h"
#include "app/shutdown.h"
#include "app/xds_rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "config/config_manager.h"
#include "limit/key_hash.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rpc/grpc/grpc_server.h"
#include "rpc/handler.h"
#include "rpc/lean/lean_server.h"
#include "rules/rule_book.h"
#include "statsd/statsd_sender.h"
#include "store/lease/lease_store.h"
#include "store/memory/memory_store.h"
#include "store/redis/redis_store.h"
#include "tiers/tier_sources.h"
#include "trace/tracer.h"

namespace rls {
namespace {

constexpr absl::Duration kWatchInterval = absl::Milliseconds(250);
// How long Drain() waits until leases are given back. Redis answers or fails
// within its command timeout. The default timeout is much shorter.
constexpr absl::Duration kReturnTime = absl::Milliseconds(400);
// The least time for which the start waits for the first attempt to connect to
// Redis. REDIS_TIMEOUT may be shorter than one TLS handshake for each loop.
constexpr absl::Duration kFirstAttempt = absl::Milliseconds(250);
// The most time. No port is open yet, so a liveness probe would fail, and
// REDIS_TIMEOUT may be minutes.
constexpr absl::Duration kLongestFirstAttempt = absl::Seconds(2);
constexpr absl::Duration kAttemptLook = absl::Milliseconds(1);
// How long Drain() waits until the last spans are sent: the rest of the drain
// time, within these bounds. The lower one and kReturnTime fit into kGrace.
constexpr absl::Duration kTraceTime = absl::Seconds(5);
constexpr absl::Duration kLeastTraceTime = absl::Milliseconds(100);
static_assert(kReturnTime < Shutdown::kGrace);

// Counts the log lines that are dropped while it exists.
class DroppedLinesMetric {
 public:
  explicit DroppedLinesMetric(Metrics& metrics) {
    Counter& dropped = metrics.GetCounter(
        {.name = "ratelimitd_log_lines_dropped_total",
         .help = "Log lines dropped because stderr was not read"});
    SetOnDroppedLogLine([&dropped] { dropped.Add(1); });
  }
  ~DroppedLinesMetric() { SetOnDroppedLogLine(nullptr); }
  DroppedLinesMetric(const DroppedLinesMetric&) = delete;
  DroppedLinesMetric& operator=(const DroppedLinesMetric&) = delete;
};

// envoyproxy/ratelimit always has a Redis, so its users may expect one.
void WarnOfMemory(const Settings& settings, const RedisSettings& redis) {
  if (!settings.reference_name || redis.in_memory) return;
  if (!redis.server.url.empty()) return;
  LogWarning(
      "counters are in memory, each replica alone: REDIS_URL is not set");
}

class AppImpl final : public App {
 public:
  AppImpl(const Settings& settings, const Environment& environment)
      : drain_time_(settings.drain_time),
        ready_with_(settings.ready_with),
        clock_(NewSystemClock()),
        metrics_(NewMetrics(settings.stats.is_on()
                                ? NewStatistics(settings.stats.options)
                                : nullptr)),
        dropped_lines_(*metrics_),
        is_lean_(settings.transport == "lean"),
        loops_(is_lean_ ? ThreadsOf(settings.grpc) : 1),
        tier_sources_(NewHttpTierSources(*clock_, *metrics_)),
        config_(NewConfigManager({.paths = settings.config_paths,
                                  .environment = environment,
                                  .rules = rules_,
                                  .metrics = *metrics_,
                                  .clock = *clock_,
                                  .tier_sources = tier_sources_.get(),
                                  .merge_domains = settings.merge_domains})),
        memory_(
            NewMemoryStore(*clock_, {.max_counters = settings.max_counters,
                                     .max_bytes = settings.max_counter_bytes,
                                     .seed = RandomSeed()})) {}

  // The sources of rules end first, because they call grpc_. Then the servers
  // end. Then no request is held, so the loop can end.
  ~AppImpl() override {
    xds_.reset();
    config_.reset();
    grpc_.reset();
    admin_.reset();
    tier_sources_.reset();
    statsd_.reset();  // sends the statistics of the last requests
    loop_->Stop();
    if (loop_thread_.joinable()) loop_thread_.join();
    loops_.Stop();
  }

  absl::Status Start(const Settings& settings) {
    if (absl::Status made = MakeTracer(settings); !made.ok()) return made;
    if (absl::Status loaded = LoadRules(settings); !loaded.ok()) return loaded;
    absl::StatusOr<RedisSettings> redis =
        RedisSettingsWith(config_->redis(), settings.redis);
    if (!redis.ok()) return redis.status();
    WarnOfMemory(settings, *redis);
    if (absl::Status made = MakeLimiter(settings, *redis); !made.ok()) {
      return made;
    }
    loops_.Start();
    AwaitFirstAttempt(*redis);
    auto grpc =
        is_lean_ ? NewLeanServer(loops_, settings.grpc, *handler_, *clock_,
                                 *metrics_)
                 : NewGrpcServer(settings.grpc, *handler_, *clock_, *metrics_);
    if (!grpc.ok()) return grpc.status();
    grpc_ = *std::move(grpc);
    AdminOptions options = settings.admin;
    options.prometheus = settings.stats.prometheus;
    auto admin = NewAdminServer(
        options,
        {.loops = loops_,
         .limiter = *limiter_,
         .clock = *clock_,
         .metrics = *metrics_,
         .rules = rules_,
         .answers = settings.answers,
         .not_ready = [this] { return NotReady(); },
         .store_state =
             [this] { return redis_ == nullptr ? "" : redis_->not_ready(); },
         .tracer = tracer_.get()});
    if (!admin.ok()) return admin.status();
    admin_ = *std::move(admin);
    if (settings.stats.statsd.has_value()) {
      statsd_ = NewStatsdSender(*settings.stats.statsd, *metrics_);
    }
    if (ready_with_ != ReadyWith::kNothing) {
      watch_ = rules_.OnChange([this] { ShowHealth(); });
    }
    ShowHealth();
    if (xds_ == nullptr) config_->StartWatching(kWatchInterval);
    return absl::OkStatus();
  }

  std::string ReadyLine() const override {
    const std::string prometheus = admin_->prometheus_address();
    return absl::StrCat("ready grpc=", grpc_->address(),
                        " http=", admin_->http_address(),
                        " debug=", admin_->debug_address(),
                        prometheus.empty() ? "" : " prometheus=", prometheus);
  }

  void Reload() override {
    if (xds_ != nullptr) {
      LogInfo("the configuration server sends changes by itself");
      return;
    }
    LogInfo("reloading the configuration");
    // Not on this thread, which must be free for SIGTERM.
    config_->RequestLoad();
  }

  void StopBeingReady() override {
    LogInfo("not ready: the process ends");
    MutexLock lock(&health_mutex_);
    draining_ = true;
    grpc_->SetServing(false);
  }

  void Drain(const std::function<void(const char*)>& enter) override {
    LogInfo("draining");
    config_->Stop();
    const absl::Time end = absl::Now() + drain_time_;
    enter("requests that queue");
    limiter_->Drain(drain_time_);
    enter("calls in flight");
    admin_->Drain();
    grpc_->Shutdown(drain_time_);
    // Until here, the HTTP port shows that the process drains.
    enter("requests of the HTTP ports");
    admin_->Shutdown(std::max(end - absl::Now(), absl::ZeroDuration()));
    enter("leases to be given back");
    ReturnLeases();
    enter("traces to be sent");
    if (tracer_ != nullptr) {
      tracer_->Stop(std::clamp(end - absl::Now(), kLeastTraceTime, kTraceTime));
    }
  }

 private:
  absl::Status MakeTracer(const Settings& settings) {
    if (!settings.trace.has_value()) return absl::OkStatus();
    auto tracer = NewTracer(*settings.trace, *clock_, *metrics_);
    if (!tracer.ok()) return tracer.status();
    tracer_ = *std::move(tracer);
    return absl::OkStatus();
  }

  absl::Status LoadRules(const Settings& settings) {
    if (!settings.xds.has_value()) return config_->Load();
    auto xds = NewXdsRules(*settings.xds, rules_, *metrics_, *clock_);
    if (!xds.ok()) return xds.status();
    xds_ = *std::move(xds);
    return absl::OkStatus();
  }

  // Waits until the first attempt to connect to Redis has ended, so that the
  // first call can succeed. A Redis that is away refuses at once or costs this
  // time; the rules decide about the calls then (on_backend_error).
  void AwaitFirstAttempt(const RedisSettings& settings) const {
    if (redis_ == nullptr) return;
    const absl::Time end =
        absl::Now() + std::clamp(settings.store.command_timeout, kFirstAttempt,
                                 kLongestFirstAttempt);
    while (!redis_->attempted() && absl::Now() < end) {
      absl::SleepFor(kAttemptLook);
    }
  }

  absl::Status MakeLimiter(const Settings& settings,
                           const RedisSettings& redis_settings) {
    if (!redis_settings.server.url.empty()) {
      absl::StatusOr<RedisStoreOptions> options =
          RedisOptionsOf(redis_settings);
      if (!options.ok()) return options.status();
      options->seed = RandomSeed();
      for (size_t i = 0; is_lean_ && i < loops_.size(); ++i) {
        options->loops.push_back(&loops_[i]);
      }
      auto redis = NewRedisStore(*options, *clock_, *metrics_);
      if (!redis.ok()) return redis.status();
      redis_ = *std::move(redis);
    }
    CounterStore* store = memory_.get();
    if (redis_ != nullptr) {
      leases_ = NewLeaseStore(*redis_, *loop_, *clock_, *metrics_);
      store = leases_.get();
    }
    limiter_ =
        NewLimiter({.rules = rules_,
                    .loop = *loop_,
                    .store = *store,
                    .local_store = *memory_,
                    .replicas = settings.replicas,
                    .modes = settings.decisions,
                    .clock = *clock_,
                    .metrics = *metrics_,
                    .traces_takes = tracer_ != nullptr && redis_ != nullptr});
    loop_thread_ = std::thread([this] { loop_->Run(); });
    handler_.emplace(*limiter_, *clock_, settings.answers, tracer_.get());
    return absl::OkStatus();
  }

  // Gives back leased units that this replica no longer needs, because other
  // replicas wait for them.
  void ReturnLeases() {
    if (leases_ == nullptr) return;
    const auto returned = std::make_shared<absl::Notification>();
    leases_->ReturnAll([returned] { returned->Notify(); });
    if (!returned->WaitForNotificationWithTimeout(kReturnTime)) {
      LogWarning("Redis did not answer while leases were given back");
    }
  }

  // The reason of `ready_with`, or "".
  std::string MissingRules() const {
    if (ready_with_ == ReadyWith::kNothing) return "";
    const auto book = rules_.Get();
    if (!book->loaded) return "no configuration is loaded";
    const bool needs_domain = ready_with_ == ReadyWith::kDomain;
    return needs_domain && book->domains.empty() ? "no domain is loaded" : "";
  }

  // The thread that loads rules must not call a server that shuts down.
  void ShowHealth() {
    MutexLock lock(&health_mutex_);
    if (!draining_) grpc_->SetServing(MissingRules().empty());
  }

  // A missing Redis is no reason. Otherwise gateways would stop calling, and
  // on_backend_error of the rules would have no effect.
  std::string NotReady() const {
    return draining_ ? "draining" : MissingRules();
  }

  const absl::Duration drain_time_;
  const ReadyWith ready_with_;
  Mutex health_mutex_;
  std::atomic<bool> draining_{false};
  RuleBookHolder rules_;
  std::shared_ptr<const RuleBookHolder::Watch> watch_;  // null: none is needed
  const std::unique_ptr<Clock> clock_;
  const std::unique_ptr<Metrics> metrics_;
  const DroppedLinesMetric dropped_lines_;
  std::unique_ptr<Tracer> tracer_;  // null: nothing is traced
  const bool is_lean_;
  // Run the HTTP ports, and with the lean transport also that and its
  // connections to Redis.
  LoopThreads loops_;
  // Runs the timers of held requests.
  const std::unique_ptr<EventLoop> loop_ = NewEventLoop();
  std::thread loop_thread_;
  std::unique_ptr<TierSources> tier_sources_;
  std::unique_ptr<ConfigManager> config_;  // not used with xds_
  std::unique_ptr<XdsRules> xds_;          // null: the rules come from files
  // The only store without Redis; the local store with Redis.
  const std::unique_ptr<MemoryStore> memory_;
  // Null without Redis. redis_ is destroyed before leases_, because its replies
  // go to leases_.
  std::unique_ptr<LeaseStore> leases_;
  std::unique_ptr<RedisStore> redis_;
  std::unique_ptr<Limiter> limiter_;
  std::optional<RateLimitHandler> handler_;
  std::unique_ptr<RpcServer> grpc_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<StatsdSender> statsd_;  // null: StatsD is off
};

}  // namespace

absl::StatusOr<std::unique_ptr<App>> StartApp(const Settings& settings,
                                              const Environment& environment) {
  auto app = std::make_unique<AppImpl>(settings, environment);
  if (absl::Status started = app->Start(settings); !started.ok()) {
    return started;
  }
  return app;
}

}  // namespace rls
