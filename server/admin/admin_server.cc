#include "admin/admin_server.h"

#include <httplib.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "admin/forward_auth.h"
#include "admin/http_port.h"
#include "admin/refresh_tier.h"
#include "admin/rules_page.h"
#include "rpc/ask.h"
#include "rpc/json.h"

namespace rls {
namespace {

constexpr char kForwardAuthPath[] = "/v1/forward-auth";

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kJson[] = "application/json";
constexpr char kExposition[] = "text/plain; version=0.0.4; charset=utf-8";

constexpr char kDebugPages[] =
    "/rlconfig  the rules, one line each\n"
    "POST /tiers/{user}/refresh[?domain=NAME]  asks the tier source anew\n";

constexpr absl::Duration kAnswerTimeout = absl::Seconds(5);

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

void Fail(httplib::Response& response, const absl::Status& status) {
  Answer(response, absl::IsInvalidArgument(status) ? 400 : 503,
         std::string(status.message()), kText);
}

// Whether the library keeps values of one name from the last to the first: in
// later versions its container is a hash table, which does in libstdc++.
bool LastIsFirst() {
  static const bool last_is_first = [] {
    httplib::Headers headers;
    headers.emplace("name", "first");
    headers.emplace("name", "last");
    return headers.equal_range("name").first->second == "last";
  }();
  return last_is_first;
}

// All values of a header, as if the client had sent them in one.
std::string HeaderOf(const httplib::Request& request, const std::string& name) {
  std::vector<absl::string_view> values;
  const auto [first, last] = request.headers.equal_range(name);
  for (auto it = first; it != last; ++it) values.push_back(it->second);
  if (LastIsFirst()) std::reverse(values.begin(), values.end());
  return absl::StrJoin(values, ",");
}

class AdminServerImpl final : public AdminServer {
 public:
  explicit AdminServerImpl(AdminParts parts) : parts_(std::move(parts)) {}

  absl::Status Start(const AdminOptions& options) {
    using httplib::Request;
    using httplib::Response;
    absl::StatusOr<ForwardAuth> forward_auth =
        ForwardAuth::Make(options.forward_auth, parts_.forward_auth_handler);
    if (!forward_auth.ok()) return forward_auth.status();
    forward_auth_ = *std::move(forward_auth);
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
    AddForwardAuth(http);
    httplib::Server& debug = debug_.server();
    debug.Get("/", [](const Request&, Response& response) {
      Answer(response, 200, kDebugPages, kText);
    });
    debug.Get("/rlconfig", [this](const Request&, Response& response) {
      Answer(response, 200, RulesPage(*parts_.rules.Get()), kText);
    });
    debug.Post("/tiers/(.+)/refresh",
               [this](const Request& request, Response& response) {
                 const RefreshedTier refreshed = RefreshTier(
                     *parts_.rules.Get(), request.get_param_value("domain"),
                     request.matches[1].str());
                 Answer(response, refreshed.http_status, refreshed.text, kText);
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

  // A request without a body is decided before the routes, which know a few
  // methods only and wait for the body of some.
  void AddForwardAuth(httplib::Server& http) {
    using httplib::Request;
    using httplib::Response;
    using Handled = httplib::Server::HandlerResponse;
    http.set_pre_routing_handler(
        [this](const Request& request, Response& response) {
          if (request.path != kForwardAuthPath) return Handled::Unhandled;
          const Body body = BodyOf(request);
          if (body == Body::kRead) return Handled::Unhandled;
          if (body == Body::kNone) {
            DecideForGateway(request, response);
          } else {
            RefuseAndClose(response);
          }
          return Handled::Handled;
        });
    const auto with_body = [this](const Request& request, Response& response,
                                  const httplib::ContentReader& read) {
      if (read([](const char*, size_t) { return true; })) {
        DecideForGateway(request, response);
      } else {
        RefuseAndClose(response);
      }
    };
    http.Post(kForwardAuthPath, with_body);
    http.Put(kForwardAuthPath, with_body);
    http.Patch(kForwardAuthPath, with_body);
    http.Delete(kForwardAuthPath, with_body);
  }

  void DecideForGateway(const httplib::Request& request,
                        httplib::Response& response) {
    absl::StatusOr<ForwardAuth::Answer> answer = forward_auth_->Decide(
        [&](const std::string& name) { return HeaderOf(request, name); },
        request.get_param_value("body") == "header");
    if (!answer.ok()) {
      Fail(response, answer.status());
      return;
    }
    response.status = answer->over_limit ? 429 : 200;
    response.body = std::move(answer->body);
    for (const PlainHeader& header : answer->headers) {
      response.set_header(header.name, header.value);
    }
  }

  void Json(const std::string& body, httplib::Response& response) {
    const absl::StatusOr<std::string> request = RequestFromJson(body);
    if (!request.ok()) {
      Fail(response, request.status());
      return;
    }
    const RateLimitHandler::Reply reply =
        Ask(parts_.handler, *request, absl::Now() + kAnswerTimeout);
    if (!reply.status.ok()) {
      Fail(response, reply.status);
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
  std::optional<ForwardAuth> forward_auth_;
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
