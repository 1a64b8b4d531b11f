#include "rpc/grpc_queue.h"

#include <optional>
#include <utility>

#include "base/handover.h"
#include "base/thread_part.h"

namespace rls {
namespace {

// Registered up front on each queue: a burst up to this finds a call waiting.
constexpr int kCallsPerQueue = 512;

// Held requests keep their calls. So many wait for a request all the same, by
// adding more up to a number in all.
constexpr int kSpareCalls = 64;
constexpr size_t kMaxCallsPerQueue = 100'000;

// Events of one turn. Decisions wait until the turn has been read, so that a
// cancellation that has come meanwhile is seen before anything is charged.
constexpr int kEventsPerTurn = 64;

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message())};
}

}  // namespace

// One call after the other. Two things end a call, in either order: its answer
// has been handed over (kFinished), and the call itself is over (kOver: sent,
// or the caller has gone).
class GrpcQueue::Call final : public QueueClient {
 public:
  explicit Call(GrpcQueue& owner) : owner_(owner) {}

  // Waits for the next request.
  void Arm() {
    answered_.Take();
    context_.emplace();
    writer_.emplace(&*context_);
    request_.Clear();
    caller_.emplace();
    cancelled_ = false;
    ends_ = 0;
    ++owner_.waiting_calls_;
    context_->AsyncNotifyWhenDone(&over_);
    owner_.context_.service.RequestShouldRateLimit(
        &*context_, &request_, &*writer_, owner_.queue_.get(),
        owner_.queue_.get(), &arrived_);
  }

  void OnEvent(int event, bool ok) override {
    if (event == kArrived) --owner_.waiting_calls_;
    if (event != kArrived) {
      if (event == kOver && context_->IsCancelled()) {
        cancelled_ = true;
        caller_->Leave();
      }
      if (++ends_ == 2) owner_.finished_.push_back(this);
    } else if (ok) {
      owner_.arrived_.push_back(this);
    } else {
      --owner_.open_calls_;
      owner_.shut_down_ = true;
    }
  }

  void Decide(absl::Time arrived) {
    started_ = arrived;
    if (cancelled_) {
      Reply({.status = absl::CancelledError("the caller has gone")});
      return;
    }
    // One slice as a rule, then nothing is copied.
    if (!request_.TrySingleSlice(&bytes_).ok() &&
        !request_.DumpToSingleSlice(&bytes_).ok()) {
      Reply({.status = absl::InternalError("the request cannot be read")});
      return;
    }
    owner_.context_.handler.ShouldRateLimit(
        {reinterpret_cast<const char*>(bytes_.begin()), bytes_.size()},
        absl::FromChrono(context_->deadline()), &*caller_,
        [this](const RateLimitHandler::Reply& reply) { Reply(reply); });
  }

 private:
  enum { kArrived, kOver, kFinished };

  void Reply(const RateLimitHandler::Reply& reply) {
    owner_.context_.metrics.Count(reply.status.code(),
                                  owner_.context_.clock.Now() - started_);
    answered_.Give();  // back to the queue's thread, by way of gRPC
    if (!reply.status.ok()) {
      writer_->FinishWithError(ToGrpc(reply.status), &finished_);
      return;
    }
    const grpc::Slice slice(reply.response);
    writer_->Finish(grpc::ByteBuffer(&slice, 1), grpc::Status::OK, &finished_);
  }

  GrpcQueue& owner_;
  QueueTag arrived_{this, kArrived};
  QueueTag over_{this, kOver};
  QueueTag finished_{this, kFinished};

  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> writer_;
  grpc::ByteBuffer request_;
  grpc::Slice bytes_;
  absl::Time started_;
  std::optional<Caller> caller_;
  Handover answered_;
  bool cancelled_ = false;
  int ends_ = 0;
};

GrpcContext::GrpcContext(RateLimitHandler& rate_limit_handler,
                         const Clock& wall_clock, Metrics& all_metrics)
    : handler(rate_limit_handler), clock(wall_clock), metrics(all_metrics) {}

GrpcQueue::GrpcQueue(GrpcContext& context,
                     std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : context_(context), queue_(std::move(queue)) {}

void GrpcQueue::AddCall() {
  ++open_calls_;
  calls_.push_back(std::make_unique<Call>(*this));
  calls_.back()->Arm();
}

void GrpcQueue::Start(Health* health) {
  health_ = health;
  thread_ = std::thread([this] {
    ClaimPart();
    Serve();
  });
}

GrpcQueue::~GrpcQueue() {
  if (!thread_.joinable()) return;  // The server never came to be.
  thread_.join();
  queue_->Shutdown();
  void* tag = nullptr;
  for (bool ok = false; queue_->Next(&tag, &ok);) {
  }
}

void GrpcQueue::Serve() {
  for (int i = 0; i < kCallsPerQueue; ++i) AddCall();
  if (health_ != nullptr) health_->Start(*queue_, open_calls_);
  void* tag = nullptr;
  bool ok = false;
  while (open_calls_ > 0 && queue_->Next(&tag, &ok)) {
    int events = 0;
    do {
      const QueueTag& event = *static_cast<QueueTag*>(tag);
      event.client->OnEvent(event.event, ok);
    } while (++events < kEventsPerTurn &&
             queue_->AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) ==
                 grpc::CompletionQueue::GOT_EVENT);
    const absl::Time now = context_.clock.Now();
    for (Call* call : arrived_) call->Decide(now);
    for (Call* call : finished_) call->Arm();
    // A server that is shut down gives each new one back at once.
    while (!shut_down_ && waiting_calls_ < kSpareCalls &&
           calls_.size() < kMaxCallsPerQueue) {
      AddCall();
    }
    arrived_.clear();
    finished_.clear();
  }
}

}  // namespace rls
