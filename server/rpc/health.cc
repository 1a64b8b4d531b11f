#include "rpc/health.h"

#include <optional>
#include <string>

#include "rpc/health_words.h"

namespace rls {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

}  // namespace

// One Check after the other.
class Health::CheckCall final : public QueueClient {
 public:
  CheckCall(Health& health, grpc::ServerCompletionQueue& queue, size_t& open)
      : health_(health), queue_(queue), open_(open) {
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
    health_.service_.RequestCheck(&*context_, &request_, &*writer_, &queue_,
                                  &queue_, &arrived_);
  }

  void Answer() {
    HealthCheckResponse response;
    {
      MutexLock lock(&health_.mutex_);
      response.set_status(health_.StatusOf(request_.service()));
    }
    if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      writer_->FinishWithError({grpc::StatusCode::NOT_FOUND, "unknown service"},
                               &finished_);
      return;
    }
    writer_->Finish(response, grpc::Status::OK, &finished_);
  }

  Health& health_;
  grpc::ServerCompletionQueue& queue_;
  size_t& open_;
  QueueTag arrived_{this, kArrived};
  QueueTag finished_{this, kFinished};
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<HealthCheckResponse>> writer_;
  HealthCheckRequest request_;
};

// One Watch. It owns itself: made while waiting for a call, gone when that call
// is over.
class Health::WatchCall final : public QueueClient {
 public:
  WatchCall(Health& health, grpc::ServerCompletionQueue& queue, size_t& open)
      : health_(health), queue_(queue), open_(open), writer_(&context_) {
    ++open_;
    context_.AsyncNotifyWhenDone(&over_);
    health_.service_.RequestWatch(&context_, &request_, &writer_, &queue_,
                                  &queue_, &arrived_);
  }

  ~WatchCall() override { --open_; }

  void OnEvent(int event, bool ok) override {
    if (event == kArrived && !ok) {
      delete this;  // The server is shut down; no other event follows.
      return;
    }
    bool gone = false;
    {
      MutexLock lock(&health_.mutex_);
      switch (event) {
        case kArrived:
          health_.watchers_.insert(this);
          new WatchCall(health_, queue_, open_);
          break;
        case kOver:
          over_seen_ = true;
          health_.watchers_.erase(this);
          break;
        default:
          writing_ = false;
      }
      health_.Proceed(*this);
      gone = over_seen_ && !writing_;
    }
    if (gone) delete this;
  }

 private:
  friend class Health;
  enum { kArrived, kOver, kWritten };

  Health& health_;
  grpc::ServerCompletionQueue& queue_;
  size_t& open_;
  QueueTag arrived_{this, kArrived};
  QueueTag over_{this, kOver};
  QueueTag written_{this, kWritten};
  grpc::ServerContext context_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_;
  HealthCheckRequest request_;
  HealthCheckResponse::ServingStatus sent_ = HealthCheckResponse::UNKNOWN;
  bool writing_ = false;  // a write or the finish is under way
  bool finished_ = false;
  bool over_seen_ = false;
};

Health::Health() = default;
Health::~Health() = default;

void Health::Start(grpc::ServerCompletionQueue& queue, size_t& open) {
  check_ = std::make_unique<CheckCall>(*this, queue, open);
  new WatchCall(*this, queue, open);
}

void Health::SetServing(bool serving) {
  MutexLock lock(&mutex_);
  serving_ = serving;
  for (WatchCall* watcher : watchers_) Proceed(*watcher);
}

void Health::Stop() {
  MutexLock lock(&mutex_);
  serving_ = false;
  stopped_ = true;
  for (WatchCall* watcher : watchers_) Proceed(*watcher);
}

void Health::Proceed(WatchCall& watcher) {
  if (watcher.writing_ || watcher.over_seen_ || watcher.finished_) return;
  const auto status = StatusOf(watcher.request_.service());
  if (status != watcher.sent_) {
    HealthCheckResponse response;
    response.set_status(status);
    watcher.writer_.Write(response, &watcher.written_);
    watcher.sent_ = status;
    watcher.writing_ = true;
  } else if (stopped_) {
    watcher.writer_.Finish({grpc::StatusCode::UNAVAILABLE, "shutting down"},
                           &watcher.written_);
    watcher.finished_ = true;
    watcher.writing_ = true;
  }
}

HealthCheckResponse::ServingStatus Health::StatusOf(
    const std::string& service) const {
  return static_cast<HealthCheckResponse::ServingStatus>(
      HealthOf(service, serving_));
}

}  // namespace rls
