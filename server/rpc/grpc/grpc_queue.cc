#include "rpc/grpc/grpc_queue.h"

#include <optional>
#include <utility>

#include "base/handover.h"
#include "base/thread_shard.h"
#include "limiter/caller.h"
#include "rpc/grpc/grpc_health.h"
#include "trace/trace_context.h"

namespace rls {
namespace {

// Calls that are registered on each queue at the start: the largest burst that
// finds a waiting call for each request.
constexpr int kCallsPerQueue = 512;

// A held request occupies its call. If fewer than kSpareCalls calls wait for a
// request, the queue adds calls, up to kMaxCallsPerQueue.
constexpr int kSpareCalls = 64;
constexpr size_t kMaxCallsPerQueue = 100'000;

// Events that one turn reads before it decides requests. A cancellation among
// them is therefore seen before its request is charged.
constexpr int kEventsPerTurn = 64;

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message())};
}

// Serves calls, one after the other. A call has ended after two events, which
// come in either order: gRPC has taken the answer (kFinished), and the call is
// over (kOver: the answer is sent, or the caller has left).
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
      Answer({.status = absl::CancelledError("the caller has gone")});
      return;
    }
    // Usually the request is a single slice. Then the bytes are not copied.
    if (!request_.TrySingleSlice(&bytes_).ok() &&
        !request_.DumpToSingleSlice(&bytes_).ok()) {
      Answer({.status = absl::InternalError("the request cannot be read")});
      return;
    }
    owner_.context_.handler.ShouldRateLimit(
        {reinterpret_cast<const char*>(bytes_.begin()), bytes_.size()},
        absl::FromChrono(context_->deadline()), &*caller_,
        [this](const RateLimitHandler::Answer& answer) { Answer(answer); },
        ReadTraceHeaders());
  }

 private:
  enum { kArrived, kOver, kFinished };

  // Null: requests are not traced.
  const TraceHeaders* ReadTraceHeaders() {
    if (!owner_.context_.handler.traces()) return nullptr;
    trace_headers_.Clear();
    for (const auto& [name, value] : context_->client_metadata()) {
      trace_headers_.Add({name.data(), name.size()},
                         {value.data(), value.size()});
    }
    return &trace_headers_;
  }

  void Answer(const RateLimitHandler::Answer& answer) {
    owner_.context_.metrics.Count(answer.status.code(),
                                  owner_.context_.clock.Now() - started_);
    answered_.Give();  // gRPC passes the call back to the queue's thread.
    if (!answer.status.ok()) {
      writer_->FinishWithError(ToGrpc(answer.status), &finished_);
      return;
    }
    const grpc::Slice slice(answer.response);
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
  TraceHeaders trace_headers_;
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

void GrpcQueue::Start(GrpcHealth* health) {
  health_ = health;
  thread_ = std::thread([this] {
    ClaimShard();
    Serve();
  });
}

GrpcQueue::~GrpcQueue() {
  if (!thread_.joinable()) return;  // The server failed to start.
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
    // A server that is shut down returns each new call at once.
    while (!shut_down_ && waiting_calls_ < kSpareCalls &&
           calls_.size() < kMaxCallsPerQueue) {
      AddCall();
    }
    arrived_.clear();
    finished_.clear();
  }
}

}  // namespace rls
