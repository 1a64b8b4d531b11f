#include "tiers/tier_sources.h"

#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "tiers/http_client.h"
#include "tiers/http_tier_source.h"

namespace rls {
namespace {

// An event loop, its thread, and the HTTP client on the loop.
class Worker {
 public:
  Worker() : thread_([this] { loop_->Run(); }) {}
  ~Worker() {
    loop_->Stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  EventLoop& loop() { return *loop_; }
  HttpClient& client() { return *client_; }

 private:
  const std::unique_ptr<EventLoop> loop_ = NewEventLoop();
  const std::unique_ptr<HttpClient> client_ = NewHttpClient(*loop_);
  std::thread thread_;
};

class HttpTierSources final : public TierSources {
 public:
  HttpTierSources(const Clock& clock, Metrics& metrics)
      : clock_(clock), metrics_(metrics) {}

  std::shared_ptr<TierSource> Open(const std::string& domain,
                                   const TierSourceSpec& spec) override {
    MutexLock lock(&mutex_);
    if (worker_ == nullptr) worker_ = std::make_unique<Worker>();
    Opened& opened = sources_[domain];
    std::shared_ptr<TierSource> source = opened.source.lock();
    if (source == nullptr || opened.spec != spec) {
      source = NewHttpTierSource({.loop = worker_->loop(),
                                  .client = worker_->client(),
                                  .clock = clock_,
                                  .metrics = metrics_},
                                 domain, spec);
      opened = {.spec = spec, .source = source};
    }
    return source;
  }

 private:
  struct Opened {
    TierSourceSpec spec;
    std::weak_ptr<TierSource> source;  // owned by the domain's rules
  };

  const Clock& clock_;
  Metrics& metrics_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Opened> sources_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Worker> worker_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<TierSources> NewHttpTierSources(const Clock& clock,
                                                Metrics& metrics) {
  return std::make_unique<HttpTierSources>(clock, metrics);
}

}  // namespace rls
