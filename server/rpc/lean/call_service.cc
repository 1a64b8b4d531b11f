#include "rpc/lean/call_service.h"

#include <optional>
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
  } else if (call.method() == Method::kHealthWatch) {
    WatchHealth(call, message);
  } else if (call.method() == Method::kHealthList) {
    call.Answer(health_.List());
  } else {
    CheckHealth(call, message);
  }
}

void CallService::Closed(Call& call) {
  if (call.method() == Method::kHealthWatch) watches_.erase(&call);
}

bool CallService::TakeNext(Call& call, absl::string_view& message) {
  switch (call.received().Take(dependencies_.max_request_bytes, message)) {
    case MessageBuffer::Found::kMessage:
      return true;
    case MessageBuffer::Found::kCompressed:
      if (absl::Status inflated =
              call.Inflate(dependencies_.max_request_bytes, message);
          !inflated.ok()) {
        call.Finish(inflated);
        return false;
      }
      return true;
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
  // The status code that gRPC defines for this case.
  call.Finish(absl::UnimplementedError("expected one message"));
  return false;
}

void CallService::Decide(Call& call, absl::string_view request) {
  call.Retain();
  ++undecided_calls_;
  dependencies_.handler.ShouldRateLimit(
      request, call.deadline(), &call.caller(),
      [this, &call](const RateLimitHandler::Answer& answer) {
        if (RunningLoop() == &dependencies_.loop) {
          Answer(call, answer);
        } else {
          call.answer = answer;
          HandOver(call);
        }
      },
      call.trace_headers());
}

void CallService::Answer(Call& call, const RateLimitHandler::Answer& answer) {
  dependencies_.metrics.Count(answer.status.code(),
                              dependencies_.clock.Now() - call.arrived());
  if (answer.status.ok()) {
    call.Answer(answer.response);
  } else {
    call.Finish(answer.status);
  }
  --undecided_calls_;
  call.Release();
  // The task after which the loop checks whether it has become quiet.
  if (stopped_ && undecided_calls_ == 0) dependencies_.post([] {});
}

void CallService::HandOver(Call& call) {
  const MutexLock lock(&mutex_);
  handed_over_.push_back(&call);
  // One task answers all calls that are handed over before it runs. It is
  // posted under the lock, so that the loop cannot end before Post() returns.
  if (handed_over_.size() == 1) {
    dependencies_.post([this] { AnswerAll(); });
  }
}

void CallService::AnswerAll() {
  {
    const MutexLock lock(&mutex_);
    answering_.swap(handed_over_);
  }
  for (Call* const call : answering_) {
    Answer(*call, std::exchange(call->answer, {}));
  }
  answering_.clear();
}

void CallService::CheckHealth(Call& call, absl::string_view request) {
  const absl::StatusOr<std::string> service = ReadHealthRequest(request);
  if (!service.ok()) {
    call.Finish(service.status());
    return;
  }
  const absl::StatusOr<HealthStatus> status = health_.Check(*service);
  if (status.ok()) {
    call.Answer(WriteHealthResponse(*status));
  } else {
    call.Finish(status.status());
  }
}

void CallService::WatchHealth(Call& call, absl::string_view request) {
  absl::StatusOr<std::string> service = ReadHealthRequest(request);
  if (!service.ok()) {
    call.Finish(service.status());
    return;
  }
  Health::Watch& watch = watches_[&call];
  watch = {.service = *std::move(service), .sent = std::nullopt};
  Proceed(call, watch);
}

void CallService::Proceed(Call& call, Health::Watch& watch) {
  while (!call.finished()) {
    const absl::StatusOr<std::optional<HealthStatus>> next =
        health_.Next(watch);
    if (!next.ok()) {
      call.Finish(next.status());
    } else if (next->has_value()) {
      call.Send(WriteHealthResponse(**next));
    } else {
      return;
    }
  }
}

void CallService::SetServing(bool serving) {
  health_.SetServing(serving);
  for (auto& [call, watch] : watches_) Proceed(*call, watch);
}

void CallService::Stop() {
  stopped_ = true;
  health_.Stop();
  for (auto& [call, watch] : watches_) Proceed(*call, watch);
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
