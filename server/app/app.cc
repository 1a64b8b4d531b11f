#include "app/app.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "admin/admin_server.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config_manager.h"
#include "limit/key_hash.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "net/loop_threads.h"
#include "rpc/grpc_server.h"
#include "rpc/handler.h"
#include "rpc_lean/lean_server.h"
#include "rules/rule_book.h"
#include "store_lease/lease_store.h"
#include "store_memory/memory_store.h"
#include "store_redis/redis_store.h"
#include "tiers/tier_sources.h"

namespace rls {
namespace {

constexpr absl::Duration kWatchInterval = absl::Milliseconds(250);
// Redis answers or fails within its command timeout: by default long before.
constexpr absl::Duration kReturnTime = absl::Seconds(1);

class AppImpl final : public App {
 public:
  AppImpl(const Settings& settings, const Environment& environment)
      : drain_time_(settings.drain_time),
        clock_(NewSystemClock()),
        metrics_(NewMetrics()),
        loops_(settings.transport == "lean" ? ThreadsOf(settings.grpc) : 0),
        tier_sources_(NewHttpTierSources(*clock_, *metrics_)),
        config_(NewConfigManager({.paths = settings.config_paths,
                                  .environment = environment,
                                  .rules = rules_,
                                  .metrics = *metrics_,
                                  .clock = *clock_,
                                  .tier_sources = tier_sources_.get()})),
        memory_(NewMemoryStore(*clock_, {.max_counters = settings.max_counters,
                                         .seed = RandomSeed()})) {}

  // Nobody asks any more, so nothing is held: the loop can end.
  ~AppImpl() override {
    grpc_.reset();
    admin_.reset();
    config_.reset();
    tier_sources_.reset();
    loop_->Stop();
    if (loop_thread_.joinable()) loop_thread_.join();
    loops_.Stop();
  }

  absl::Status Start(const Settings& settings) {
    if (absl::Status loaded = config_->Load(); !loaded.ok()) return loaded;
    absl::StatusOr<RedisSettings> redis =
        RedisSettingsWith(config_->redis(), settings.redis);
    if (!redis.ok()) return redis.status();
    if (absl::Status made = MakeLimiter(settings, *redis); !made.ok()) {
      return made;
    }
    loops_.Start();
    auto grpc = loops_.size() > 0 ? NewLeanServer(loops_, settings.grpc,
                                                  *handler_, *clock_, *metrics_)
                                  : NewGrpcServer(settings.grpc, *handler_,
                                                  *clock_, *metrics_);
    if (!grpc.ok()) return grpc.status();
    grpc_ = *std::move(grpc);
    auto admin = NewAdminServer(
        settings.admin,
        {.handler = *handler_,
         .forward_auth_handler = *forward_auth_handler_,
         .metrics = *metrics_,
         .rules = rules_,
         .not_ready = [this] { return std::string(NotReady()); }});
    if (!admin.ok()) return admin.status();
    admin_ = *std::move(admin);
    grpc_->SetServing(true);
    config_->StartWatching(kWatchInterval);
    return absl::OkStatus();
  }

  std::string ReadyLine() const override {
    return absl::StrCat("ready grpc=", grpc_->address(),
                        " http=", admin_->http_address(),
                        " debug=", admin_->debug_address());
  }

  void Reload() override {
    LogInfo("reloading the configuration");
    // The manager has logged each error and counted the failure.
    config_->Load().IgnoreError();
  }

  void Drain() override {
    LogInfo("draining");
    draining_ = true;
    limiter_->Drain(drain_time_);
    grpc_->Shutdown(drain_time_);
    ReturnLeases();
  }

 private:
  // It does not wait for Redis: what is missing shows in NotReady().
  absl::Status MakeLimiter(const Settings& settings,
                           const RedisSettings& redis_settings) {
    if (!redis_settings.server.url.empty()) {
      absl::StatusOr<RedisStoreOptions> options =
          RedisOptionsOf(redis_settings);
      if (!options.ok()) return options.status();
      options->seed = RandomSeed();
      for (size_t i = 0; i < loops_.size(); ++i) {
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
    limiter_ = NewLimiter({.rules = rules_,
                           .loop = *loop_,
                           .store = *store,
                           .local_store = *memory_,
                           .replicas = settings.replicas,
                           .clock = *clock_,
                           .metrics = *metrics_});
    loop_thread_ = std::thread([this] { loop_->Run(); });
    handler_.emplace(*limiter_, *clock_, settings.answers);
    // Envoy makes headers of an answer's statuses; other gateways cannot.
    AnswerSettings with_headers = settings.answers;
    with_headers.headers = true;
    forward_auth_handler_.emplace(*limiter_, *clock_, std::move(with_headers));
    return absl::OkStatus();
  }

  // Others wait for what this replica has leased and does not need any more.
  void ReturnLeases() {
    if (leases_ == nullptr) return;
    const auto returned = std::make_shared<absl::Notification>();
    leases_->ReturnAll([returned] { returned->Notify(); });
    if (!returned->WaitForNotificationWithTimeout(kReturnTime)) {
      LogWarning("Redis did not answer while leases were given back");
    }
  }

  // gRPC health does not tell of a missing Redis: a gateway that stopped asking
  // would never hear what the rules say for that case.
  const char* NotReady() const {
    if (draining_) return "draining";
    if (redis_ != nullptr && !redis_->ready()) return "no answer from Redis";
    return "";
  }

  const absl::Duration drain_time_;
  std::atomic<bool> draining_{false};
  RuleBookHolder rules_;
  const std::unique_ptr<Clock> clock_;
  const std::unique_ptr<Metrics> metrics_;
  // The lean transport's, and of its way to Redis; none with the general one.
  LoopThreads loops_;
  // For what waits: requests that are held.
  const std::unique_ptr<EventLoop> loop_ = NewEventLoop();
  std::thread loop_thread_;
  std::unique_ptr<TierSources> tier_sources_;
  std::unique_ptr<ConfigManager> config_;
  const std::unique_ptr<MemoryStore>
      memory_;  // local_store, where Redis counts
  // Null: memory_ counts. Redis goes first, as it answers to the leases.
  std::unique_ptr<LeaseStore> leases_;
  std::unique_ptr<RedisStore> redis_;
  std::unique_ptr<Limiter> limiter_;
  std::optional<RateLimitHandler> handler_;
  std::optional<RateLimitHandler> forward_auth_handler_;
  std::unique_ptr<RpcServer> grpc_;
  std::unique_ptr<AdminServer> admin_;
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
