#include "rpc_lean/lean_server.h"

#include <algorithm>
#include <latch>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "net/listener.h"
#include "rpc/request_metrics.h"
#include "rpc_lean/lean_loop.h"

namespace rls {
namespace {

class LeanServer final : public RpcServer {
 public:
  LeanServer(LoopThreads& threads, const RpcServerOptions& options,
             RateLimitHandler& handler, const Clock& clock, Metrics& metrics,
             std::unique_ptr<TlsContext> tls)
      : first_loop_(threads[0]),
        options_(options),
        metrics_(metrics),
        tls_(std::move(tls)) {
    for (size_t i = 0; i < threads.size(); ++i) {
      loops_.push_back(
          std::make_unique<LeanLoop>(LeanLoop::Parts{.loop = threads[i],
                                                     .options = options_,
                                                     .handler = handler,
                                                     .clock = clock,
                                                     .metrics = metrics_,
                                                     .tls = tls_.get()}));
    }
  }

  ~LeanServer() override {
    if (listener_ != nullptr) Shutdown(absl::ZeroDuration());
  }

  absl::Status Start() {
    auto listener = Listen(first_loop_, options_.address);
    if (!listener.ok()) {
      return absl::UnavailableError(absl::StrCat("cannot listen for gRPC on ",
                                                 listener.status().message()));
    }
    listener_ = *std::move(listener);
    address_ = listener_->address();
    first_loop_.Post([this] {
      listener_->Accept([this](FileDescriptor connection) {
        HandOut(std::move(connection));
      });
    });
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }

  // Waits for the loops, so that no later question gets an earlier answer.
  void SetServing(bool serving) override {
    std::latch told(static_cast<ptrdiff_t>(loops_.size()));
    for (const auto& loop : loops_) {
      loop->SetServing(serving, [&told] { told.count_down(); });
    }
    told.wait();
  }

  void Shutdown(absl::Duration grace) override {
    std::latch closed(1);
    first_loop_.Post([this, &closed] {
      listener_.reset();
      closed.count_down();
    });
    closed.wait();
    for (const auto& loop : loops_) loop->Shutdown(grace);
    for (const auto& loop : loops_) loop->AwaitQuiet();
    loops_.clear();
  }

 private:
  // To the loop with the fewest, so that a gateway's few connections spread
  // over the cores, which hashing by port would not do.
  void HandOut(FileDescriptor connection) {
    const auto fewest = std::min_element(
        loops_.begin(), loops_.end(), [](const auto& a, const auto& b) {
          return a->connections() < b->connections();
        });
    (*fewest)->Adopt(std::move(connection));
  }

  EventLoop& first_loop_;  // takes the connections
  const RpcServerOptions options_;
  RequestMetrics metrics_;
  const std::unique_ptr<TlsContext> tls_;  // null: none
  std::string address_;
  std::vector<std::unique_ptr<LeanLoop>> loops_;
  std::unique_ptr<StreamListener> listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> NewLeanServer(
    LoopThreads& loops, const RpcServerOptions& options,
    RateLimitHandler& handler, const Clock& clock, Metrics& metrics) {
  std::unique_ptr<TlsContext> tls;
  if (options.tls.has_value()) {
    auto context = NewServerTlsContext(*options.tls);
    if (!context.ok()) return context.status();
    tls = *std::move(context);
  }
  auto server = std::make_unique<LeanServer>(loops, options, handler, clock,
                                             metrics, std::move(tls));
  if (absl::Status started = server->Start(); !started.ok()) return started;
  return server;
}

}  // namespace rls
