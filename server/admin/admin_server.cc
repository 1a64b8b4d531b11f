#include "admin/admin_server.h"

#include <httplib.h>

#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "admin/rules_page.h"
#include "rpc/ask.h"
#include "rpc/json.h"

namespace rls {
namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kJson[] = "application/json";
constexpr char kExposition[] = "text/plain; version=0.0.4; charset=utf-8";

constexpr size_t kMaxBodyBytes = 1 << 20;
constexpr size_t kThreads = 4;
constexpr time_t kIoTimeoutSeconds = 5;
constexpr absl::Duration kAnswerTimeout = absl::Seconds(5);

// One listening HTTP port and the thread that serves it.
class HttpPort {
 public:
  HttpPort() {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(kMaxBodyBytes);
    server_.set_read_timeout(kIoTimeoutSeconds);
    server_.set_write_timeout(kIoTimeoutSeconds);
    server_.set_keep_alive_max_count(100);
    server_.set_keep_alive_timeout(kIoTimeoutSeconds);
    // Without SO_REUSEPORT, which the library sets: a second server on a taken
    // port must fail, not share it silently.
    server_.set_socket_options([](auto socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
  }

  ~HttpPort() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  httplib::Server& server() { return server_; }
  const std::string& address() const { return address_; }

  // `address` is HOST:PORT, an IPv6 host in brackets.
  absl::Status Listen(const std::string& address) {
    const size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    int port = 0;
    const bool has_port = colon != std::string::npos &&
                          absl::SimpleAtoi(address.substr(colon + 1), &port);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    }
    int bound = has_port ? Bind(host, port) : -1;
    // A machine without IPv6 can still serve everybody it has.
    if (bound <= 0 && host == "::") bound = Bind("0.0.0.0", port);
    if (bound <= 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen for HTTP on ", address));
    }
    address_ = absl::StrCat(address.substr(0, colon), ":", bound);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // A stop() before the loop has begun would be lost.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

 private:
  // The port that was taken, or less than 1.
  int Bind(const std::string& host, int port) {
    if (port == 0) return server_.bind_to_any_port(host);
    return server_.bind_to_port(host, port) ? port : -1;
  }

  httplib::Server server_;
  std::string address_;
  std::thread thread_;
};

void Answer(httplib::Response& response, int status, const std::string& body,
            const char* type) {
  response.status = status;
  response.set_content(body, type);
}

// Read here and not by the library, which refuses more than 8 KiB of what
// calls itself a form, as `curl -d` does unless told otherwise.
bool ReadBody(const httplib::Request& request,
              const httplib::ContentReader& reader, std::string& body,
              httplib::Response& response) {
  if (request.is_multipart_form_data()) {
    Answer(response, 400, "found multipart/form-data, expected JSON", kText);
    response.set_header("Connection", "close");  // The body is still to come.
    return false;
  }
  // A body over the limit has its status from the library.
  return reader([&body](const char* data, size_t size) {
    body.append(data, size);
    return true;
  });
}

int HttpStatusOf(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? 400 : 503;
}

class AdminServerImpl final : public AdminServer {
 public:
  explicit AdminServerImpl(AdminParts parts) : parts_(std::move(parts)) {}

  absl::Status Start(const AdminOptions& options) {
    using httplib::Request;
    using httplib::Response;
    httplib::Server& http = http_.server();
    const auto health = [this](const Request&, Response& response) {
      Health(response);
    };
    http.Get("/healthcheck", health);
    http.Get("/ready", health);
    http.Get("/live", [](const Request&, Response& response) {
      Answer(response, 200, "OK", kText);
    });
    http.Get("/metrics", [this](const Request&, Response& response) {
      Answer(response, 200, parts_.metrics.Text(), kExposition);
    });
    http.Post("/json", [this](const Request& request, Response& response,
                              const httplib::ContentReader& reader) {
      std::string body;
      if (ReadBody(request, reader, body, response)) Json(body, response);
    });
    httplib::Server& debug = debug_.server();
    debug.Get("/", [](const Request&, Response& response) {
      Answer(response, 200, "/rlconfig  the rules, one line each\n", kText);
    });
    debug.Get("/rlconfig", [this](const Request&, Response& response) {
      Answer(response, 200, RulesPage(*parts_.rules.Get()), kText);
    });
    if (absl::Status bound = http_.Listen(options.http_address); !bound.ok()) {
      return bound;
    }
    return debug_.Listen(options.debug_address);
  }

  const std::string& http_address() const override { return http_.address(); }
  const std::string& debug_address() const override { return debug_.address(); }

 private:
  void Health(httplib::Response& response) {
    const std::string reason = parts_.not_ready();
    if (reason.empty()) {
      Answer(response, 200, "OK", kText);
    } else {
      Answer(response, 503, reason, kText);
    }
  }

  void Json(const std::string& body, httplib::Response& response) {
    const absl::StatusOr<std::string> request = RequestFromJson(body);
    if (!request.ok()) {
      Answer(response, 400, std::string(request.status().message()), kText);
      return;
    }
    const RateLimitHandler::Reply reply =
        Ask(parts_.handler, *request, absl::Now() + kAnswerTimeout);
    if (!reply.status.ok()) {
      Answer(response, HttpStatusOf(reply.status),
             std::string(reply.status.message()), kText);
      return;
    }
    const absl::StatusOr<std::string> json = ResponseToJson(reply.response);
    if (!json.ok()) {
      Answer(response, 500, std::string(json.status().message()), kText);
      return;
    }
    Answer(response, reply.over_limit ? 429 : 200, *json, kJson);
  }

  const AdminParts parts_;
  HttpPort http_;
  HttpPort debug_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> NewAdminServer(
    const AdminOptions& options, const AdminParts& parts) {
  auto server = std::make_unique<AdminServerImpl>(parts);
  if (absl::Status started = server->Start(options); !started.ok()) {
    return started;
  }
  return server;
}

}  // namespace rls
