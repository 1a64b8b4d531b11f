#include "rpc/lean/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "rpc/lean/grpc_words.h"
#include "rpc/lean/h2_response.h"
#include "rpc/rpc_server.h"

namespace rls {
namespace {

// Counted for each header field in addition to its bytes. Source: RFC 9113
// section 10.5.1 and RFC 7541 section 4.1.
constexpr size_t kFieldOverhead = 32;

}  // namespace

H2Session::H2Session(const H2SessionDependencies& dependencies,
                     absl::AnyInvocable<void()> pending)
    : dependencies_(dependencies),
      pending_(std::move(pending)),
      session_(NewSession(*this)) {}

H2Session::~H2Session() {
  receiving_ = true;  // Later output is discarded.
  while (open_ != nullptr) Close(*open_);
  nghttp2_session_del(session_);
}

bool H2Session::Receive(absl::string_view bytes) {
  now_ = dependencies_.clock.Now();
  receiving_ = true;
  budget_.Refill(now_);
  walk_.Feed(bytes, [this](const FrameHead& frame) { CheckFrame(frame); });
  ssize_t read = 0;
  if (!calmed_) {
    read = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (read < 0 && read != NGHTTP2_ERR_BAD_CLIENT_MAGIC)
      Calm(Bound::kProtocol);
    ServeReady();
  }
  receiving_ = false;
  dependencies_.calls.CheckShortage();
  return read >= 0;
}

void H2Session::Calm(Bound bound) {
  if (std::exchange(calmed_, true)) return;
  dependencies_.report.ConnectionEnded(bound, dependencies_.peer);
  RequireH2(
      nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM));
}

absl::string_view H2Session::Pull() {
  const uint8_t* bytes = nullptr;
  const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
  return size <= 0 ? absl::string_view()
                   : absl::string_view(reinterpret_cast<const char*>(bytes),
                                       static_cast<size_t>(size));
}

bool H2Session::over() const {
  return nghttp2_session_want_read(session_) == 0 &&
         nghttp2_session_want_write(session_) == 0;
}

void H2Session::Ping() {
  RequireH2(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr));
}

void H2Session::AnnounceGoAway() {
  RequireH2(nghttp2_submit_shutdown_notice(session_));
  RequireH2(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kGoAwayPing));
}

void H2Session::GoAway() {
  if (std::exchange(going_away_, true)) return;
  RequireH2(
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                            nghttp2_session_get_last_proc_stream_id(session_),
                            NGHTTP2_NO_ERROR, nullptr, 0));
}

void H2Session::CheckFrame(const FrameHead& frame) {
  const uint8_t type = frame.type;
  const int32_t stream_id = frame.stream_id;
  if (!budget_.Spend(FrameBudget::CostOf(frame))) Calm(Bound::kFrames);
  if (type == NGHTTP2_RST_STREAM) closed_streams_.Close(stream_id);
  if (type == NGHTTP2_PRIORITY &&
      (stream_id == 0 || stream_id == frame.depends_on)) {
    RequireH2(
        nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR));
  }
  if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return;
  if (type == NGHTTP2_HEADERS && stream_id > closed_streams_.last())
    closed_streams_.Open(stream_id);
  const ClosedStreams::Fault fault = closed_streams_.FaultOf(stream_id);
  if (fault == ClosedStreams::Fault::kNone) return;
  RequireH2(nghttp2_session_terminate_session(
      session_, fault == ClosedStreams::Fault::kClosed
                    ? NGHTTP2_STREAM_CLOSED
                    : NGHTTP2_PROTOCOL_ERROR));
}

int H2Session::BeginRequest(int32_t stream_id) {
  Call* const call = dependencies_.calls.Get();
  if (call == nullptr) {
    // With this error code the client may send the request again.
    Reset(stream_id, NGHTTP2_REFUSED_STREAM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  call->Begin(*this, stream_id, now_);
  call->after_ = open_;
  if (open_ != nullptr) open_->before_ = call;
  open_ = call;
  ++open_calls_;
  ++incomplete_calls_;
  ++dependencies_.calls.incomplete_calls;
  reading_ = recent_ = call;
  RequireH2(nghttp2_session_set_stream_user_data(session_, stream_id, call));
  return 0;
}

bool H2Session::TakeHeaderBytes(int32_t stream_id, size_t bytes) {
  header_bytes_ += bytes + kFieldOverhead;
  if (header_bytes_ <= kMaxMetadataBytes) return true;
  dependencies_.report.CallRefused(Bound::kHeaders, dependencies_.peer);
  if (!budget_.Spend(FrameBudget::kLargeHeaders)) Calm(Bound::kHeaders);
  // A gRPC client takes this error code for RESOURCE_EXHAUSTED.
  Reset(stream_id, NGHTTP2_ENHANCE_YOUR_CALM);
  reading_ = nullptr;
  return false;
}

void H2Session::AddHeader(absl::string_view name, absl::string_view value) {
  Call& call = *reading_;
  if (name == ":path") {
    call.method_ = MethodOf(value);
  } else if (name == ":method") {
    call.is_post_ = value == "POST";
    call.is_head_ = value == "HEAD";
  } else if (name == "content-type") {
    call.is_grpc_ = IsGrpcContentType(value);
  } else if (name == "grpc-timeout") {
    const std::optional<absl::Duration> timeout = ParseGrpcTimeout(value);
    call.bad_timeout_ = !timeout.has_value();
    if (timeout.has_value()) call.deadline_ = now_ + *timeout;
  } else if (name == "grpc-encoding") {
    call.encoding_ = EncodingOf(value);
  } else if (dependencies_.reads_trace_headers) {
    call.AddTraceHeader(name, value);
  }
}

void H2Session::EndHeaders(Call& call) {
  reading_ = nullptr;
  if (!call.is_post_) {
    Refuse(call, "405");
  } else if (!call.is_grpc_) {
    Refuse(call, "415");
  } else if (call.method_ == Method::kUnknown) {
    call.Finish(absl::UnimplementedError("no such method"));
  } else if (call.bad_timeout_) {
    call.Finish(absl::InternalError("malformed grpc-timeout"));
  }
}

void H2Session::Refuse(Call& call, absl::string_view http_status) {
  ++answered_calls_;
  H2Response::RefuseAsHttp(session_, call, http_status);
}

void H2Session::Refuse(Call& call, Bound bound, absl::string_view message) {
  dependencies_.report.CallRefused(bound, dependencies_.peer);
  call.DropReceived();
  call.stop_ = true;
  call.Finish(absl::ResourceExhaustedError(message));
}

void H2Session::AddData(Call& call, absl::string_view bytes) {
  if (call.finished_) return;
  call.AddReceived(bytes);
  if (call.received_.size() > MostOfCall()) {
    Refuse(call, Bound::kRequestBytes, "the request is too large");
  } else if (HoldsTooMuch()) {
    Refuse(call, Bound::kRequestBytes, "too many requests are incomplete");
  } else if (!TakesOneMessage(call.method_)) {
    MarkReady(call);
  }
}

size_t H2Session::MostOfCall() const {
  return dependencies_.max_request_bytes + kMessagePrefixBytes +
         size_t{kWindowBytes};
}

bool H2Session::HoldsTooMuch() const {
  return buffered_bytes_ > std::max(kMaxBufferedBytes, MostOfCall()) ||
         dependencies_.calls.buffered_bytes > CallPool::kMaxBufferedBytes;
}

bool H2Session::KeepsInflated(size_t compressed, size_t inflated) {
  if (!budget_.Spend(FrameBudget::CostOfInflating(compressed, inflated))) {
    Calm(Bound::kRequestBytes);
  }
  if (calmed_ || !HoldsTooMuch()) return !calmed_;
  dependencies_.report.CallRefused(Bound::kRequestBytes, dependencies_.peer);
  return false;
}

void H2Session::EndRequest(Call& call) {
  call.request_ended_ = true;
  --incomplete_calls_;
  --dependencies_.calls.incomplete_calls;
}

void H2Session::MarkReady(Call& call) {
  if (std::exchange(call.ready_, true)) return;
  ready_.push_back(&call);
}

void H2Session::ServeReady() {
  for (Call* const call : ready_) {
    if (call == nullptr) continue;
    call->ready_ = false;
    if (call->finished_) continue;
    if (call->request_ended_) budget_.Earn();
    dependencies_.handler.Serve(*call);
  }
  ready_.clear();
}

void H2Session::Proceed(Call& call) {
  if (call.finished_) ++answered_calls_;
  if (!call.responded_) {
    H2Response::Begin(session_, call);
  } else {
    // Fails if nghttp2 is not waiting for more messages. It then takes them
    // without being resumed.
    nghttp2_session_resume_data(session_, call.stream_id_);
  }
  if (!receiving_) pending_();
}

bool H2Session::MaySend(size_t bytes) {
  if (!budget_.Spend(FrameBudget::kMessage)) Calm(Bound::kFrames);
  const bool fits =
      unsent_bytes_ + bytes <= kMaxUnsentBytes &&
      dependencies_.calls.unsent_bytes + bytes <= CallPool::kMaxUnsentBytes;
  if (!fits) {
    dependencies_.report.CallRefused(Bound::kResponseBytes, dependencies_.peer);
  }
  return fits && !calmed_;
}

void H2Session::Reset(int32_t stream_id, uint32_t error) {
  RequireH2(
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream_id, error));
}

void H2Session::Close(Call& call) {
  (call.before_ == nullptr ? open_ : call.before_->after_) = call.after_;
  if (call.after_ != nullptr) call.after_->before_ = call.before_;
  --open_calls_;
  if (!call.request_ended_) {
    --incomplete_calls_;
    --dependencies_.calls.incomplete_calls;
  }
  if (call.finished_) --answered_calls_;
  if (call.ready_) {
    *std::find(ready_.begin(), ready_.end(), &call) = nullptr;
  }
  if (reading_ == &call) reading_ = nullptr;
  if (recent_ == &call) recent_ = nullptr;
  if (call.request_ended_) closed_streams_.Close(call.stream_id_);
  call.CountReceived(-static_cast<ptrdiff_t>(call.received_bytes()));
  call.CountUnsent(-static_cast<ptrdiff_t>(call.sending_.size()));
  call.session_ = nullptr;
  dependencies_.handler.Closed(call);
  if (call.retained_) {
    call.caller_->Leave();  // May destroy the call.
  } else {
    dependencies_.calls.Put(call);
  }
}

bool H2Session::DropOverdue(absl::Duration patience) {
  now_ = dependencies_.clock.Now();
  for (Call* call = open_; call != nullptr; call = call->after_) {
    if (call->finished_) {
      if (std::exchange(call->overdue_, true)) {
        Reset(call->stream_id_,
              call->request_ended_ ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR);
      }
    } else if (!call->request_ended_ && now_ - call->arrived_ >= patience) {
      if (call == reading_) return false;
      call->stop_ = true;
      call->Finish(absl::DeadlineExceededError("the request took too long"));
    }
  }
  return greeted_;
}

Call* H2Session::Find(int32_t stream_id) {
  if (recent_ != nullptr && recent_->stream_id_ == stream_id) return recent_;
  recent_ = static_cast<Call*>(
      nghttp2_session_get_stream_user_data(session_, stream_id));
  return recent_;
}

}  // namespace rls
