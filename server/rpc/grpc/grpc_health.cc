#include "rpc/grpc/grpc_health.h"

#include <optional>

#include "rpc/grpc/grpc_queue.h"

namespace rls {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;

HealthCheckResponse ResponseOf(HealthStatus status) {
  HealthCheckResponse response;
  response.set_status(static_cast<HealthCheckResponse::ServingStatus>(status));
  return response;
}

}  // namespace

// Serves the calls of one unary method, one after the other.
template <typename Request, typename Response>
class GrpcHealth::UnaryCall final : public QueueClient {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<Response>;
  // The generated method that waits for the next call.
  using Await = void (Service::*)(grpc::ServerContext*, Request*, Writer*,
                                  grpc::CompletionQueue*,
                                  grpc::ServerCompletionQueue*, void*);

  UnaryCall(GrpcHealth& owner, grpc::ServerCompletionQueue& queue, size_t& open,
            Await await)
      : owner_(owner), queue_(queue), open_(open), await_(await) {
    ++open_;
    Arm();
  }

  void OnEvent(int event, bool ok) override {
    if (event == kFinished) {
      Arm();
    } else if (ok) {
      Answer();
    } else {
      --open_;
    }
  }

 private:
  enum { kArrived, kFinished };

  void Arm() {
    context_.emplace();
    writer_.emplace(&*context_);
    (owner_.service_.*await_)(&*context_, &request_, &*writer_, &queue_,
                              &queue_, &arrived_);
  }

  void Answer() {
    const absl::StatusOr<Response> response = owner_.AnswerTo(request_);
    if (response.ok()) {
      writer_->Finish(*response, grpc::Status::OK, &finished_);
    } else {
      writer_->FinishWithError(ToGrpc(response.status()), &finished_);
    }
  }

  GrpcHealth& owner_;
  grpc::ServerCompletionQueue& queue_;
  size_t& open_;
  const Await await_;
  QueueTag arrived_{this, kArrived};
  QueueTag finished_{this, kFinished};
  std::optional<grpc::ServerContext> context_;
  std::optional<Writer> writer_;
  Request request_;
};

absl::StatusOr<HealthCheckResponse> GrpcHealth::AnswerTo(
    const HealthCheckRequest& request) {
  const MutexLock lock(&mutex_);
  const absl::StatusOr<HealthStatus> status = health_.Check(request.service());
  if (!status.ok()) return status.status();
  return ResponseOf(*status);
}

absl::StatusOr<HealthListResponse> GrpcHealth::AnswerTo(
    const HealthListRequest&) {
  HealthListResponse response;
  const MutexLock lock(&mutex_);
  response.ParseFromString(health_.List());
  return response;
}

// Serves one Watch call. Owns itself: it is created to wait for a call, and
// deletes itself when the call has ended.
class GrpcHealth::WatchCall final : public QueueClient {
 public:
  WatchCall(GrpcHealth& owner, grpc::ServerCompletionQueue& queue, size_t& open)
      : owner_(owner), queue_(queue), open_(open), writer_(&context_) {
    ++open_;
    context_.AsyncNotifyWhenDone(&over_);
    owner_.service_.RequestWatch(&context_, &request_, &writer_, &queue_,
                                 &queue_, &arrived_);
  }

  ~WatchCall() override { --open_; }

  void OnEvent(int event, bool ok) override {
    if (event == kArrived && !ok) {
      delete this;  // The server is shut down; no other event follows.
      return;
    }
    bool ended = false;
    {
      const MutexLock lock(&owner_.mutex_);
      switch (event) {
        case kArrived:
          watch_.service = request_.service();
          owner_.watchers_.insert(this);
          new WatchCall(owner_, queue_, open_);
          break;
        case kOver:
          over_seen_ = true;
          owner_.watchers_.erase(this);
          break;
        default:
          writing_ = false;
      }
      owner_.Proceed(*this);
      ended = over_seen_ && !writing_;
    }
    if (ended) delete this;
  }

 private:
  friend class GrpcHealth;
  enum { kArrived, kOver, kWritten };

  GrpcHealth& owner_;
  grpc::ServerCompletionQueue& queue_;
  size_t& open_;
  QueueTag arrived_{this, kArrived};
  QueueTag over_{this, kOver};
  QueueTag written_{this, kWritten};
  grpc::ServerContext context_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_;
  HealthCheckRequest request_;
  Health::Watch watch_;
  bool writing_ = false;  // a write or the finish is in progress
  bool finished_ = false;
  bool over_seen_ = false;
};

GrpcHealth::GrpcHealth() = default;
GrpcHealth::~GrpcHealth() = default;

void GrpcHealth::Start(grpc::ServerCompletionQueue& queue, size_t& open) {
  using Check = UnaryCall<HealthCheckRequest, HealthCheckResponse>;
  using List = UnaryCall<HealthListRequest, HealthListResponse>;
  check_ = std::make_unique<Check>(*this, queue, open, &Service::RequestCheck);
  list_ = std::make_unique<List>(*this, queue, open, &Service::RequestList);
  new WatchCall(*this, queue, open);
}

void GrpcHealth::SetServing(bool serving) {
  const MutexLock lock(&mutex_);
  health_.SetServing(serving);
  for (WatchCall* watcher : watchers_) Proceed(*watcher);
}

void GrpcHealth::Stop() {
  const MutexLock lock(&mutex_);
  health_.Stop();
  for (WatchCall* watcher : watchers_) Proceed(*watcher);
}

void GrpcHealth::Proceed(WatchCall& watcher) {
  if (watcher.writing_ || watcher.over_seen_ || watcher.finished_) return;
  const absl::StatusOr<std::optional<HealthStatus>> next =
      health_.Next(watcher.watch_);
  if (!next.ok()) {
    watcher.writer_.Finish(ToGrpc(next.status()), &watcher.written_);
    watcher.finished_ = true;
    watcher.writing_ = true;
  } else if (next->has_value()) {
    watcher.writer_.Write(ResponseOf(**next), &watcher.written_);
    watcher.writing_ = true;
  }
}

}  // namespace rls
