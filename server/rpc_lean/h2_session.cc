#include "rpc_lean/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/log.h"
#include "rpc/rpc_server.h"
#include "rpc_lean/grpc_words.h"

namespace rls {
namespace {

// RFC 9113 section 10.5.1 and RFC 7541 section 4.1: what a field counts beside
// its bytes.
constexpr size_t kFieldOverhead = 32;

// The PING that tells when the client knows of our GOAWAY.
constexpr uint8_t kGoAwayPing[8] = {'g', 'o', 'i', 'n', 'g', 0, 0, 0};

// These fail only for want of memory, for which nothing is prepared.
void Require(int result) {
  if (result == 0) return;
  LogError("HTTP/2: out of memory");
  std::abort();
}

bool IsGoAwayAck(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
         absl::string_view(
             reinterpret_cast<const char*>(frame.ping.opaque_data), 8) ==
             absl::string_view(reinterpret_cast<const char*>(kGoAwayPing), 8);
}

}  // namespace

// What nghttp2 calls.
struct H2Session::Callbacks {
  static H2Session& Of(void* user) { return *static_cast<H2Session*>(user); }
  static absl::string_view View(const uint8_t* bytes, size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame,
                            void* user) {
    H2Session& session = Of(user);
    session.reading_ = nullptr;  // Trailers are of no interest.
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return session.BeginRequest(frame->hd.stream_id);
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame*,
                      const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    H2Session& session = Of(user);
    if (session.reading_ == nullptr) return 0;
    session.AddHeader(View(name, name_size), View(value, value_size));
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = Of(user);
    const auto type = frame->hd.type;
    if (type == NGHTTP2_SETTINGS) session.greeted_ = true;
    if (type == NGHTTP2_PING && IsGoAwayAck(*frame)) session.GoAway();
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return 0;
    Call* const call = session.Find(frame->hd.stream_id);
    if (call == nullptr) return 0;
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (last) session.EndRequest(*call);
    if (type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      session.EndHeaders(*call);
    }
    if (last && !call->finished_) session.MarkReady(*call);
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t stream_id,
                    const uint8_t* bytes, size_t size, void* user) {
    H2Session& session = Of(user);
    Call* const call = session.Find(stream_id);
    if (call != nullptr) session.AddData(*call, View(bytes, size));
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t stream_id, uint32_t,
                     void* user) {
    H2Session& session = Of(user);
    Call* const call = session.Find(stream_id);
    if (call != nullptr) session.Close(*call);
    return 0;
  }

  static nghttp2_session* NewSession(H2Session& session) {
    nghttp2_session_callbacks* callbacks = nullptr;
    Require(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_option* option = nullptr;
    Require(nghttp2_option_new(&option));
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetRate);
    nghttp2_session* made = nullptr;
    Require(nghttp2_session_server_new3(&made, callbacks, &session, option,
                                        session.parts_.memory.mem()));
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxMetadataBytes}};
    Require(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings,
                                    std::size(settings)));
    Require(nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                                  kWindowBytes));
    return made;
  }
};

H2Session::H2Session(const H2SessionParts& parts,
                     absl::AnyInvocable<void()> pending)
    : parts_(parts),
      pending_(std::move(pending)),
      session_(Callbacks::NewSession(*this)) {}

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
  return size <= 0 ? absl::string_view() : Callbacks::View(bytes, size);
}

bool H2Session::over() const {
  return nghttp2_session_want_read(session_) == 0 &&
         nghttp2_session_want_write(session_) == 0;
}

void H2Session::Ping() {
  Require(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr));
}

void H2Session::AnnounceGoAway() {
  Require(nghttp2_submit_shutdown_notice(session_));
  Require(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kGoAwayPing));
}

void H2Session::GoAway() {
  if (std::exchange(going_away_, true)) return;
  Require(
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
  Require(nghttp2_session_terminate_session(
      session_, fault == StreamIds::Fault::kClosed ? NGHTTP2_STREAM_CLOSED
                                                   : NGHTTP2_PROTOCOL_ERROR));
}

int H2Session::BeginRequest(int32_t stream_id) {
  Call* const call = parts_.calls.Get();
  // Makes nghttp2 reset the stream.
  if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  call->Begin(*this, stream_id, now_);
  call->after_ = open_;
  if (open_ != nullptr) open_->before_ = call;
  open_ = call;
  ++open_calls_;
  ++incomplete_calls_;
  reading_ = recent_ = call;
  Require(nghttp2_session_set_stream_user_data(session_, stream_id, call));
  return 0;
}

void H2Session::AddHeader(absl::string_view name, absl::string_view value) {
  Call& call = *reading_;
  call.header_bytes_ += name.size() + value.size() + kFieldOverhead;
  if (name == ":path") {
    call.method_ = MethodOf(value);
  } else if (name == ":method") {
    call.is_post_ = value == "POST";
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
    call.Finish(absl::ResourceExhaustedError("the request is too large"));
    StopRequest(call);
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
  if (call.ready_) {
    *std::find(ready_.begin(), ready_.end(), &call) = nullptr;
  }
  if (reading_ == &call) reading_ = nullptr;
  if (recent_ == &call) recent_ = nullptr;
  if (call.request_ended_) ids_.Close(call.stream_id_);
  parts_.calls.buffered_bytes -= call.received_.size();
  call.session_ = nullptr;
  parts_.handler.Closed(call);
  if (call.held_) {
    call.caller_->Leave();  // The call may be gone now.
  } else {
    parts_.calls.Put(call);
  }
}

bool H2Session::DropIncomplete(absl::Duration patience) {
  now_ = parts_.clock.Now();
  for (Call* call = open_; call != nullptr; call = call->after_) {
    if (call->request_ended_ || now_ - call->arrived_ < patience) continue;
    if (call == reading_) return false;
    call->Finish(absl::DeadlineExceededError("the request took too long"));
    StopRequest(*call);
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
