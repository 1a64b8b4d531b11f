#include "admin/json_page.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "admin/failure.h"
#include "admin/http_trace.h"
#include "limiter/end_trace.h"
#include "rpc/json.h"

namespace rls {

struct JsonPage::Call {
  Call(HttpReply reply_to, std::shared_ptr<std::atomic<int>> count)
      : reply(std::move(reply_to)), large(std::move(count)) {
    if (large != nullptr) ++*large;
  }
  ~Call() {
    if (large != nullptr) --*large;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  HttpReply reply;
  const std::shared_ptr<std::atomic<int>> large;  // null: not a large request
  absl::Time deadline;
  JsonRequest request;
  JsonResponse response;
  bool over_limit = false;
  std::unique_ptr<RequestTrace> trace;  // null: not traced
};

JsonPage::JsonPage(Dependencies dependencies)
    : dependencies_(std::move(dependencies)),
      large_(std::make_shared<std::atomic<int>>(0)) {}

void JsonPage::Answer(const HttpRequest& request, HttpReply reply) {
  const absl::string_view body = request.body;
  const bool is_large = body.size() > kMaxQuickBytes;
  if (is_large && large_->load() >= kMaxLarge) {
    SendFailure(absl::UnavailableError("too many large requests"), reply);
    return;
  }
  auto call =
      std::make_unique<Call>(std::move(reply), is_large ? large_ : nullptr);
  call->deadline = dependencies_.clock.Now() + kTimeout;
  call->trace = StartTrace(dependencies_.tracer, "/json", request);
  if (!is_large) {
    Decide(std::move(call), body);
    return;
  }
  dependencies_.worker.Post(
      [this, call = std::move(call), kept = std::string(body)]() mutable {
        Decide(std::move(call), kept);
      });
}

void JsonPage::Decide(std::unique_ptr<Call> call, absl::string_view body) {
  if (absl::Status read = call->request.Read(body); !read.ok()) {
    EndTrace(call->trace, call->request.query(), read);
    SendFailure(read, call->reply);
    return;
  }
  Query& query = call->request.query();
  if (dependencies_.clock.Now() >= call->deadline) {
    const auto late = absl::DeadlineExceededError("the deadline has passed");
    EndTrace(call->trace, query, late);
    SendFailure(late, call->reply);
    return;
  }
  query.trace = call->trace.get();
  query.deadline = call->deadline;
  query.caller = &call->reply.caller();
  dependencies_.limiter.Check(
      query, [this, call = std::move(call)](
                 const absl::StatusOr<const Verdict*>& verdict) mutable {
        OnVerdict(std::move(call), verdict);
      });
}

void JsonPage::OnVerdict(std::unique_ptr<Call> call,
                         const absl::StatusOr<const Verdict*>& verdict) {
  EndTrace(call->trace, call->request.query(), verdict);
  if (!verdict.ok()) {
    SendFailure(verdict.status(), call->reply);
    return;
  }
  call->over_limit = (*verdict)->over_limit;
  call->response.Set(dependencies_.answers, **verdict);
  if (call->large == nullptr) {
    Write(*call);
    return;
  }
  dependencies_.worker.Post(
      [this, call = std::move(call)]() mutable { Write(*call); });
}

void JsonPage::Write(Call& call) {
  const absl::StatusOr<std::string> json = call.response.Text();
  if (!json.ok()) {
    call.reply.Send(
        {.status = 500, .type = kPlainText, .body = json.status().message()});
    return;
  }
  call.reply.Send({.status = call.over_limit ? 429 : 200,
                   .type = "application/json",
                   .body = *json});
}

}  // namespace rls
