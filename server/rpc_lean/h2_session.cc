#include "rpc_lean/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "rpc/rpc_server.h"
#include "rpc_lean/grpc_words.h"
#include "rpc_lean/h2_require.h"

namespace rls {
namespace {

// RFC 9113 section 10.5.1 and RFC 7541 section 4.1: what a field counts beside
// its bytes.
constexpr size_t kFieldOverhead = 32;

}  // namespace

H2Session::H2Session(const H2SessionParts& parts,
                     absl::AnyInvocable<void()> pending)
    : parts_(parts),
      pending_(std::move(pending)),
      session_(NewSession(*this)) {}

H2Session::~H2Session() {
  receiving_ = true;  // Nothing that is sent now leaves.
  while (open_ != nullptr) Close(*open_);
  nghttp2_session_del(session_);
}

bool H2Session::Receive(absl::string_view bytes) {
  now_ = parts_.clock.Now();
  receiving_ = true;
  walk_.Feed(bytes, [this](uint8_t type, int32_t stream_id) {
    CheckFrame(type, stream_id);
  });
  const ssize_t read = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  ServeReady();
  receiving_ = false;
  return read >= 0;
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

void H2Session::CheckFrame(uint8_t type, int32_t stream_id) {
  if (type == NGHTTP2_RST_STREAM) ids_.Close(stream_id);
  if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return;
  if (type == NGHTTP2_HEADERS && stream_id > ids_.last()) ids_.Open(stream_id);
  const StreamIds::Fault fault = ids_.FaultOf(stream_id);
  if (fault == StreamIds::Fault::kNone) return;
  RequireH2(nghttp2_session_terminate_session(
      session_, fault == StreamIds::Fault::kClosed ? NGHTTP2_STREAM_CLOSED
                                                   : NGHTTP2_PROTOCOL_ERROR));
}

int H2Session::BeginRequest(int32_t stream_id) {
  Call* const call = parts_.calls.Get();
  if (call == nullptr) {
    // The one error that tells a client that it may try again.
    Reset(stream_id, NGHTTP2_REFUSED_STREAM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  call->Begin(*this, stream_id, now_);
  call->after_ = open_;
  if (open_ != nullptr) open_->before_ = call;
  open_ = call;
  ++open_calls_;
  ++incomplete_calls_;
  reading_ = recent_ = call;
  RequireH2(nghttp2_session_set_stream_user_data(session_, stream_id, call));
  return 0;
}

void H2Session::AddHeader(absl::string_view name, absl::string_view value) {
  Call& call = *reading_;
  call.header_bytes_ += name.size() + value.size() + kFieldOverhead;
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
    call.compressed_ = value != "identity";
  }
}

void H2Session::EndHeaders(Call& call) {
  reading_ = nullptr;
  if (!call.is_post_) {
    RefuseAsHttp(call, "405");
  } else if (!call.is_grpc_) {
    RefuseAsHttp(call, "415");
  } else if (call.header_bytes_ > kMaxMetadataBytes) {
    call.Finish(absl::ResourceExhaustedError("the headers are too large"));
  } else if (call.method_ == Method::kUnknown) {
    call.Finish(absl::UnimplementedError("no such method"));
  } else if (call.bad_timeout_) {
    call.Finish(absl::InternalError("malformed grpc-timeout"));
  }
}

void H2Session::AddData(Call& call, absl::string_view bytes) {
  if (call.finished_) return;
  parts_.calls.buffered_bytes -= call.received_.size();
  call.received_.Append(bytes);
  parts_.calls.buffered_bytes += call.received_.size();
  if (call.received_.size() >
          parts_.max_request_bytes + kMessagePrefixBytes + kWindowBytes ||
      parts_.calls.buffered_bytes > CallPool::kMaxBufferedBytes) {
    call.stop_ = true;
    call.Finish(absl::ResourceExhaustedError("the request is too large"));
  } else if (!TakesOneMessage(call.method_)) {
    MarkReady(call);
  }
}

void H2Session::EndRequest(Call& call) {
  call.request_ended_ = true;
  --incomplete_calls_;
}

void H2Session::MarkReady(Call& call) {
  if (std::exchange(call.ready_, true)) return;
  ready_.push_back(&call);
}

void H2Session::ServeReady() {
  for (Call* const call : ready_) {
    if (call == nullptr) continue;
    call->ready_ = false;
    if (!call->finished_) parts_.handler.Serve(*call);
  }
  ready_.clear();
}

void H2Session::Close(Call& call) {
  (call.before_ == nullptr ? open_ : call.before_->after_) = call.after_;
  if (call.after_ != nullptr) call.after_->before_ = call.before_;
  --open_calls_;
  if (!call.request_ended_) --incomplete_calls_;
  if (call.finished_) --answered_calls_;
  if (call.ready_) {
    *std::find(ready_.begin(), ready_.end(), &call) = nullptr;
  }
  if (reading_ == &call) reading_ = nullptr;
  if (recent_ == &call) recent_ = nullptr;
  if (call.request_ended_) ids_.Close(call.stream_id_);
  parts_.calls.buffered_bytes -= call.received_.size();
  parts_.calls.unsent_bytes -= call.sending_.size();
  call.session_ = nullptr;
  parts_.handler.Closed(call);
  if (call.held_) {
    call.caller_->Leave();  // The call may be gone now.
  } else {
    parts_.calls.Put(call);
  }
}

bool H2Session::DropOverdue(absl::Duration patience) {
  now_ = parts_.clock.Now();
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
