#include "http/http_server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "http/http_loop.h"
#include "http/http_refusals.h"
#include "net/admission.h"
#include "net/listener.h"
#include "net/socket.h"
#include "net/tls.h"

namespace rls {
namespace {

// The share of each loop, rounded up.
size_t ShareOf(size_t total, size_t loops) {
  return std::max<size_t>(1, (total + loops - 1) / loops);
}

class LoopHttpServer final : public HttpServer {
 public:
  LoopHttpServer(LoopThreads& threads, const HttpServerOptions& options,
                 HttpHandler& handler, const Clock& clock, Metrics& metrics,
                 std::unique_ptr<TlsContext> tls)
      : refusals_(options.name, metrics, clock),
        admission_(options.name,
                   WithinDescriptors({options.max_connections,
                                      options.max_connections_of_peer},
                                     options.descriptor_percent),
                   clock, metrics),
        tls_(std::move(tls)),
        listener_(threads[0]) {
    const Admission::Limits& limits = admission_.limits();
    const size_t share = ShareOf(limits.total, threads.size());
    const size_t reserve = ShareOf(
        std::min(kReservedHttpConnections, limits.total / 2), threads.size());
    for (size_t i = 0; i < threads.size(); ++i) {
      loops_.push_back(std::make_unique<HttpLoop>(HttpLoop::Dependencies{
          .loop = threads[i],
          .handler = handler,
          .clock = clock,
          .refusals = refusals_,
          .max_connections = share,
          .max_connections_of_peer = ShareOf(limits.per_peer, threads.size()),
          .max_undecided = share > reserve ? share - reserve : 1,
          .max_held_bytes =
              std::max(kMinHttpHeldBytesOfLoop,
                       ShareOf(kMaxHttpHeldBytes, threads.size())),
          .tls = tls_.get()}));
    }
  }

  ~LoopHttpServer() override {
    if (listener_.is_open()) Shutdown(absl::ZeroDuration());
  }

  absl::Status Start(const std::string& address) {
    return listener_.Start(
        "HTTP", address,
        [this](FileDescriptor connection, const PeerAddress& peer) {
          Assign(std::move(connection), peer);
        },
        [this](int error) { admission_.AcceptFailed(error); });
  }

  const std::string& address() const override { return listener_.address(); }

  void Drain() override {
    for (const auto& loop : loops_) loop->Drain();
  }

  void Shutdown(absl::Duration grace) override {
    listener_.Close();
    for (const auto& loop : loops_) loop->Shutdown(grace);
    for (const auto& loop : loops_) loop->AwaitQuiet();
    loops_.clear();
  }

 private:
  void Assign(FileDescriptor connection, const PeerAddress& peer) {
    LoopWithFewestConnections(loops_).Adopt(std::move(connection), peer);
  }

  HttpRefusals refusals_;
  // Only for its limits and for failures of accept(): a loop admits every
  // connection, and closes another one instead.
  Admission admission_;
  const std::unique_ptr<TlsContext> tls_;  // null: cleartext
  std::vector<std::unique_ptr<HttpLoop>> loops_;
  RunningListener listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> NewHttpServer(
    LoopThreads& loops, const HttpServerOptions& options, HttpHandler& handler,
    const Clock& clock, Metrics& metrics) {
  std::unique_ptr<TlsContext> tls;
  if (options.tls.has_value()) {
    ServerTlsOptions tls_options = *options.tls;
    tls_options.protocol = TlsProtocol::kHttp1;
    auto context = NewServerTlsContext(tls_options);
    if (!context.ok()) return context.status();
    tls = *std::move(context);
  }
  auto server = std::make_unique<LoopHttpServer>(loops, options, handler, clock,
                                                 metrics, std::move(tls));
  if (absl::Status started = server->Start(options.address); !started.ok()) {
    return started;
  }
  return server;
}

}  // namespace rls
