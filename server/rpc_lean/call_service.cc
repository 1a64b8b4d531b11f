#include "rpc_lean/call_service.h"

#include <utility>

#include "absl/status/statusor.h"

namespace rls {

void CallService::Serve(Call& call) {
  if (call.method() == Method::kReflection) {
    Reflect(call);
    return;
  }
  if (!call.request_ended()) return;
  absl::string_view message;
  if (!TakeOnly(call, message)) return;
  if (call.method() == Method::kShouldRateLimit) {
    Decide(call, message);
  } else {
    CheckHealth(call, message);
  }
}

void CallService::Closed(Call& call) {
  if (call.method() == Method::kHealthWatch) watchers_.erase(&call);
}

bool CallService::TakeNext(Call& call, absl::string_view& message) {
  switch (call.received().Take(parts_.max_request_bytes, message)) {
    case MessageBuffer::Found::kMessage:
      return true;
    case MessageBuffer::Found::kCompressed:
      call.Finish(call.compressed()
                      ? absl::UnimplementedError("unknown grpc-encoding")
                      : absl::InternalError("compressed without an encoding"));
      return false;
    case MessageBuffer::Found::kTooLarge:
      call.Finish(absl::ResourceExhaustedError("the message is too large"));
      return false;
    default:
      if (call.request_ended() && !call.received().empty()) {
        call.Finish(absl::InternalError("the message is cut off"));
      }
      return false;
  }
}

bool CallService::TakeOnly(Call& call, absl::string_view& message) {
  if (TakeNext(call, message) && call.received().empty()) return true;
  // As gRPC's table of status codes has it.
  call.Finish(absl::UnimplementedError("expected one message"));
  return false;
}

void CallService::Decide(Call& call, absl::string_view request) {
  call.Hold();
  ++held_;
  parts_.handler.ShouldRateLimit(
      request, call.deadline(), &call.caller(),
      [this, &call](const RateLimitHandler::Reply& reply) {
        if (RunningLoop() == &parts_.loop) {
          Reply(call, reply);
        } else {
          call.reply = reply;
          BringBack(call);
        }
      });
}

void CallService::Reply(Call& call, const RateLimitHandler::Reply& reply) {
  parts_.metrics.Count(reply.status.code(),
                       parts_.clock.Now() - call.arrived());
  if (reply.status.ok()) {
    call.Answer(reply.response);
  } else {
    call.Finish(reply.status);
  }
  --held_;
  call.Release();
  // Somebody may wait for the last one.
  if (stopped_ && held_ == 0) parts_.post([] {});
}

void CallService::BringBack(Call& call) {
  const MutexLock lock(&mutex_);
  brought_back_.push_back(&call);
  // One task for all that come before it runs. Under the lock, so that the loop
  // cannot end between the two.
  if (brought_back_.size() == 1) {
    parts_.post([this] { ReplyToAll(); });
  }
}

void CallService::ReplyToAll() {
  {
    const MutexLock lock(&mutex_);
    replying_.swap(brought_back_);
  }
  for (Call* const call : replying_)
    Reply(*call, std::exchange(call->reply, {}));
  replying_.clear();
}

void CallService::CheckHealth(Call& call, absl::string_view request) {
  const absl::StatusOr<std::string> service = ReadHealthRequest(request);
  if (!service.ok()) {
    call.Finish(service.status());
    return;
  }
  const HealthStatus status = HealthOf(*service, serving_);
  if (call.method() == Method::kHealthWatch) {
    call.Send(WriteHealthResponse(status));
    watchers_[&call] = {*service, status};
    if (stopped_) call.Finish(absl::UnavailableError("shutting down"));
  } else if (status == HealthStatus::kServiceUnknown) {
    call.Finish(absl::NotFoundError("unknown service"));
  } else {
    call.Answer(WriteHealthResponse(status));
  }
}

void CallService::SetServing(bool serving) {
  serving_ = serving;
  for (auto& [call, watcher] : watchers_) {
    const HealthStatus status = HealthOf(watcher.service, serving);
    if (std::exchange(watcher.told, status) == status) continue;
    call->Send(WriteHealthResponse(status));
  }
}

void CallService::Stop() {
  stopped_ = true;
  SetServing(false);
  for (auto& [call, unused] : watchers_) {
    call->Finish(absl::UnavailableError("shutting down"));
  }
}

void CallService::Reflect(Call& call) {
  absl::string_view request;
  while (!call.finished() && TakeNext(call, request)) {
    const absl::StatusOr<std::string> answer = reflection_.Answer(request);
    if (!answer.ok()) {
      call.Finish(answer.status());
      return;
    }
    call.Send(*answer);
  }
  if (call.request_ended()) call.Finish(absl::OkStatus());
}

}  // namespace rls
