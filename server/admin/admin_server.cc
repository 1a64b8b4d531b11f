#include "admin/admin_server.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "admin/config_page.h"
#include "admin/debug_pages.h"
#include "admin/failure.h"
#include "admin/forward_auth.h"
#include "admin/json_page.h"
#include "admin/slow_page.h"
#include "http/http_server.h"
#include "metrics/process_metrics.h"
#include "metrics/statistics_text.h"

namespace rls {
namespace {

constexpr char kForwardAuthPath[] = "/v1/forward-auth";
constexpr char kExposition[] = "text/plain; version=0.0.4; charset=utf-8";

constexpr char kDebugPages[] =
    "/rlconfig  the rules, one line each\n"
    "/config  the rules and where they come from, in JSON\n"
    "/stats  the statistics of the limits, if a sink for them is on\n"
    "POST /tiers/{user}/refresh[?domain=NAME]  looks the tier up again\n";

// The debug port is for people: a few connections.
constexpr size_t kMaxDebugConnections = 128;
// The Prometheus port is for a few scrapers.
constexpr size_t kPrometheusDescriptorPercent = 2;

constexpr char kStatisticsAreOff[] =
    "The statistics are off. USE_PROMETHEUS, USE_STATSD or USE_DOG_STATSD "
    "switches them on.\n";

void SendText(int status, absl::string_view text, HttpReply reply) {
  reply.Send({.status = status, .type = kPlainText, .body = text});
}

bool IsRead(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

// Answers 405. `allow` is a line with the header Allow.
void RefuseMethod(absl::string_view allow, HttpReply reply) {
  reply.Send({.status = 405,
              .type = kPlainText,
              .headers = allow,
              .body = "another method is expected\n"});
}

constexpr char kAllowRead[] = "Allow: GET, HEAD\r\n";
constexpr char kAllowPost[] = "Allow: POST\r\n";

// The state of the store of the counters, and its gauge.
class StoreState {
 public:
  explicit StoreState(const AdminDependencies& dependencies)
      : read_(dependencies.store_state),
        ready_(dependencies.metrics.GetGauge(
            {.name = "ratelimitd_store_ready",
             .help = "1: the store of the counters can be used. 0: the rules "
                     "decide by on_backend_error"})) {}

  // "", or the reason for which the store cannot be used. Also sets the gauge:
  // each page with the metrics calls it first.
  std::string Read() const {
    std::string state = read_();
    ready_.Set(state.empty() ? 1 : 0);
    return state;
  }

 private:
  const std::function<std::string()> read_;
  Gauge& ready_;
};

// The pages of the HTTP port.
class HttpPages final : public HttpHandler {
 public:
  HttpPages(const AdminDependencies& dependencies, ForwardAuth forward_auth,
            LoopThreads& workers)
      : not_ready_(dependencies.not_ready),
        store_(dependencies),
        forward_auth_(std::move(forward_auth)),
        metrics_(workers[0], kExposition,
                 [this, &metrics = dependencies.metrics] {
                   store_.Read();
                   return metrics.Text();
                 }),
        json_({.limiter = dependencies.limiter,
               .clock = dependencies.clock,
               .answers = dependencies.answers,
               .worker = workers[1],
               .tracer = dependencies.tracer}) {}

  Plan PlanFor(const HttpRequest& request) override {
    return {.needs_body = request.path == "/json",
            .is_vital = request.path == "/metrics" || IsHealth(request)};
  }

  void Handle(const HttpRequest& request, HttpReply reply) override {
    if (request.path == kForwardAuthPath) {
      forward_auth_.Decide(request, std::move(reply));
    } else if (request.path == "/json") {
      if (request.method != "POST") {
        RefuseMethod(kAllowPost, std::move(reply));
      } else {
        json_.Answer(request, std::move(reply));
      }
    } else if (request.path != "/metrics" && !IsHealth(request)) {
      SendText(404, "no such page\n", std::move(reply));
    } else if (!IsRead(request)) {
      RefuseMethod(kAllowRead, std::move(reply));
    } else if (request.path == "/metrics") {
      metrics_.Answer(std::move(reply));
    } else {
      AnswerHealth(request.path, std::move(reply));
    }
  }

 private:
  static bool IsHealth(const HttpRequest& request) {
    return request.path == "/live" || request.path == "/ready" ||
           request.path == "/healthcheck";
  }

  void AnswerHealth(absl::string_view path, HttpReply reply) const {
    const std::string reason = path == "/live" ? "" : not_ready_();
    if (!reason.empty()) {
      SendText(503, reason, std::move(reply));
      return;
    }
    const std::string store = path == "/ready" ? store_.Read() : "";
    SendText(200, store.empty() ? "OK" : absl::StrCat("OK\nstore: ", store),
             std::move(reply));
  }

  const std::function<std::string()> not_ready_;
  const StoreState store_;
  const ForwardAuth forward_auth_;
  SlowPage metrics_;
  JsonPage json_;
};

// The pages of the debug port.
class DebugPages final : public HttpHandler {
 public:
  DebugPages(const RuleBookHolder& rules, Metrics& metrics,
             LoopThreads& workers)
      : rules_(rules),
        rlconfig_(workers[1], kPlainText,
                  [&rules] { return RulesPage(*rules.Get()); }),
        config_(workers[1], "application/json",
                [&rules] { return ConfigPage(*rules.Get()); }),
        stats_(workers[1], kPlainText, [&metrics] {
          Statistics* const statistics = metrics.statistics();
          return statistics == nullptr ? kStatisticsAreOff
                                       : PlainText(statistics->Read());
        }) {}

  Plan PlanFor(const HttpRequest&) override { return {}; }

  void Handle(const HttpRequest& request, HttpReply reply) override {
    absl::string_view user = request.path;
    if (request.path == "/" || request.path == "/rlconfig" ||
        request.path == "/config" || request.path == "/stats") {
      if (!IsRead(request)) {
        RefuseMethod(kAllowRead, std::move(reply));
      } else if (request.path == "/") {
        SendText(200, kDebugPages, std::move(reply));
      } else if (request.path == "/config") {
        config_.Answer(std::move(reply));
      } else {
        SlowPage& page = request.path == "/stats" ? stats_ : rlconfig_;
        page.Answer(std::move(reply));
      }
    } else if (absl::ConsumePrefix(&user, "/tiers/") &&
               absl::ConsumeSuffix(&user, "/refresh") && !user.empty()) {
      if (request.method != "POST") {
        RefuseMethod(kAllowPost, std::move(reply));
      } else {
        RefreshTier(*rules_.Get(), QueryValue(request.query, "domain"),
                    DecodePercent(user), std::move(reply));
      }
    } else {
      SendText(404, "no such page\n", std::move(reply));
    }
  }

 private:
  const RuleBookHolder& rules_;
  SlowPage rlconfig_;
  SlowPage config_;
  SlowPage stats_;
};

// The page of the Prometheus port.
class PrometheusPage final : public HttpHandler {
 public:
  PrometheusPage(const PrometheusOptions& options,
                 const AdminDependencies& dependencies, EventLoop& worker)
      : path_(options.path),
        store_(dependencies),
        page_(worker, kExposition,
              [this, &metrics = dependencies.metrics,
               in_milliseconds = options.in_milliseconds] {
                store_.Read();
                return PrometheusText(metrics.statistics()->Read(),
                                      in_milliseconds) +
                       ProcessMetricsText() + metrics.Text();
              }) {}

  Plan PlanFor(const HttpRequest&) override { return {.is_vital = true}; }

  void Handle(const HttpRequest& request, HttpReply reply) override {
    if (request.path != path_) {
      SendText(404, "no such page\n", std::move(reply));
    } else if (!IsRead(request)) {
      RefuseMethod(kAllowRead, std::move(reply));
    } else {
      page_.Answer(std::move(reply));
    }
  }

 private:
  const std::string path_;
  const StoreState store_;
  SlowPage page_;
};

class AdminServerImpl final : public AdminServer {
 public:
  AdminServerImpl(const AdminDependencies& dependencies,
                  ForwardAuth forward_auth)
      : dependencies_(dependencies),
        http_pages_(dependencies, std::move(forward_auth), workers_),
        debug_pages_(dependencies.rules, dependencies.metrics, workers_) {
    workers_.Start();
  }

  ~AdminServerImpl() override {
    http_.reset();
    debug_.reset();
    prometheus_.reset();
    workers_.Stop();
  }

  absl::Status Start(const AdminOptions& options) {
    absl::Status listening = Listen(
        {.name = "http", .address = options.http_address, .tls = options.tls},
        http_pages_, http_);
    if (!listening.ok()) return listening;
    listening = Listen({.name = "debug",
                        .address = options.debug_address,
                        .max_connections = kMaxDebugConnections,
                        .max_connections_of_peer = kMaxDebugConnections,
                        .descriptor_percent = kDebugDescriptorPercent},
                       debug_pages_, debug_);
    if (!listening.ok() || !options.prometheus.has_value()) return listening;
    prometheus_page_.emplace(*options.prometheus, dependencies_, workers_[0]);
    return Listen({.name = "prometheus",
                   .address = options.prometheus->address,
                   .max_connections = kMaxDebugConnections,
                   .max_connections_of_peer = kMaxDebugConnections,
                   .descriptor_percent = kPrometheusDescriptorPercent},
                  *prometheus_page_, prometheus_);
  }

  const std::string& http_address() const override { return http_->address(); }
  const std::string& debug_address() const override {
    return debug_->address();
  }
  std::string prometheus_address() const override {
    return prometheus_ == nullptr ? "" : prometheus_->address();
  }

  void Drain() override {
    for (HttpServer* const server : Servers()) server->Drain();
  }

  void Shutdown(absl::Duration grace) override {
    const absl::Time end = absl::Now() + grace;
    for (HttpServer* const server : Servers()) {
      server->Shutdown(std::max(end - absl::Now(), absl::ZeroDuration()));
    }
  }

 private:
  std::vector<HttpServer*> Servers() const {
    std::vector<HttpServer*> servers = {http_.get(), debug_.get()};
    if (prometheus_ != nullptr) servers.push_back(prometheus_.get());
    return servers;
  }

  absl::Status Listen(const HttpServerOptions& options, HttpHandler& handler,
                      std::unique_ptr<HttpServer>& server) {
    auto started = NewHttpServer(dependencies_.loops, options, handler,
                                 dependencies_.clock, dependencies_.metrics);
    if (!started.ok()) return started.status();
    server = *std::move(started);
    return absl::OkStatus();
  }

  const AdminDependencies dependencies_;
  // One for the metrics, which wait for nothing else, and one for other work.
  LoopThreads workers_{2};
  HttpPages http_pages_;
  DebugPages debug_pages_;
  std::optional<PrometheusPage> prometheus_page_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<HttpServer> debug_;
  std::unique_ptr<HttpServer> prometheus_;  // null: no such port
};

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> NewAdminServer(
    const AdminOptions& options, const AdminDependencies& dependencies) {
  absl::StatusOr<ForwardAuth> forward_auth = ForwardAuth::Make(
      options.forward_auth, dependencies.answers, dependencies.limiter,
      dependencies.clock, dependencies.tracer);
  if (!forward_auth.ok()) return forward_auth.status();
  auto server =
      std::make_unique<AdminServerImpl>(dependencies, *std::move(forward_auth));
  if (absl::Status started = server->Start(options); !started.ok()) {
    return started;
  }
  return server;
}

}  // namespace rls
