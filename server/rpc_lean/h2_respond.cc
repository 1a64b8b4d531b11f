// The sending side of H2Session.

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rpc_lean/grpc_words.h"
#include "rpc_lean/h2_require.h"
#include "rpc_lean/h2_session.h"

namespace rls {
namespace {

// Of a status, before it is encoded, which may make three of each. Clients take
// no more than 8 KiB of headers unless told otherwise, and nghttp2 sends none
// at all when they are more than 64 KiB.
constexpr size_t kMaxStatusMessageBytes = 2 << 10;

// A header field. What it views must live until nghttp2 has sent it, which it
// does only of what is constant; everything else is copied.
nghttp2_nv Field(absl::string_view name, absl::string_view value, int flags) {
  const auto bytes = [](absl::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          static_cast<uint8_t>(flags)};
}

nghttp2_nv Constant(absl::string_view name, absl::string_view value) {
  return Field(name, value,
               NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

absl::string_view NumberOf(absl::StatusCode code) {
  static constexpr absl::string_view kNumbers[] = {
      "0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
      "9", "10", "11", "12", "13", "14", "15", "16"};
  return kNumbers[static_cast<size_t>(code)];
}

}  // namespace

// The end of a call, as fields of its last header block.
class H2Session::Trailers {
 public:
  // With `headers` of a call that sends no message.
  Trailers(const absl::Status& status, bool with_headers)
      : message_(EncodeGrpcMessage(
            status.message().substr(0, kMaxStatusMessageBytes))) {
    if (with_headers) {
      Add(Constant(":status", "200"));
      Add(Constant("content-type", "application/grpc"));
    }
    Add(Constant("grpc-status", NumberOf(status.code())));
    if (!message_.empty()) {
      Add(Field("grpc-message", message_, NGHTTP2_NV_FLAG_NO_COPY_NAME));
    }
    if (absl::IsUnimplemented(status)) {
      Add(Constant("grpc-accept-encoding", "identity"));
    }
  }

  const nghttp2_nv* fields() const { return fields_; }
  size_t size() const { return size_; }

 private:
  void Add(const nghttp2_nv& field) { fields_[size_++] = field; }

  const std::string message_;
  nghttp2_nv fields_[5];
  size_t size_ = 0;
};

// Fills DATA frames with what a call sends; after its last message come the
// trailers.
struct H2Session::Messages {
  static int Submit(nghttp2_session* session, Call& call,
                    absl::Span<const nghttp2_nv> headers) {
    nghttp2_data_provider messages;
    messages.source.ptr = &call;
    messages.read_callback = Read;
    return nghttp2_submit_response(session, call.stream_id_, headers.data(),
                                   headers.size(), &messages);
  }

  static ssize_t Read(nghttp2_session* session, int32_t stream_id,
                      uint8_t* buffer, size_t room, uint32_t* flags,
                      nghttp2_data_source* source, void*) {
    Call& call = *static_cast<Call*>(source->ptr);
    const absl::string_view bytes = call.sending_.view().substr(0, room);
    std::copy(bytes.begin(), bytes.end(), buffer);
    const size_t count = bytes.size();
    call.sending_.Drop(count);
    call.pool_->unsent_bytes -= count;
    if (!call.sending_.empty()) return static_cast<ssize_t>(count);
    if (call.is_plain_) {
      *flags = NGHTTP2_DATA_FLAG_EOF;
    } else if (call.finished_) {
      *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const Trailers trailers(call.status_, /*with_headers=*/false);
      RequireH2(nghttp2_submit_trailer(session, stream_id, trailers.fields(),
                                       trailers.size()));
    } else if (count == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(count);
  }
};

void H2Session::Proceed(Call& call) {
  if (call.finished_) ++answered_calls_;
  if (!call.responded_) {
    Respond(call);
  } else {
    // An error when it was not waiting; then it goes on by itself.
    nghttp2_session_resume_data(session_, call.stream_id_);
  }
  if (!receiving_) pending_();
}

void H2Session::Respond(Call& call) {
  call.responded_ = true;
  if (call.finished_ && call.sending_.empty()) {
    const Trailers trailers(call.status_, /*with_headers=*/true);
    RequireH2(nghttp2_submit_response(session_, call.stream_id_,
                                      trailers.fields(), trailers.size(),
                                      nullptr));
    return;
  }
  static const nghttp2_nv kHeaders[] = {
      Constant(":status", "200"), Constant("content-type", "application/grpc")};
  RequireH2(Messages::Submit(session_, call, kHeaders));
}

void H2Session::RefuseAsHttp(Call& call, absl::string_view http_status) {
  static constexpr absl::string_view kText = "gRPC only: POST application/grpc";
  call.finished_ = call.responded_ = call.is_plain_ = true;
  ++answered_calls_;
  const nghttp2_nv headers[] = {Constant(":status", http_status),
                                Constant("content-type", "text/plain"),
                                Constant("allow", "POST")};
  if (call.is_head_) {  // whose answer has no body
    RequireH2(nghttp2_submit_response(session_, call.stream_id_, headers,
                                      std::size(headers), nullptr));
    return;
  }
  call.sending_.Append(kText);
  parts_.calls.unsent_bytes += kText.size();
  RequireH2(Messages::Submit(session_, call, headers));
}

void H2Session::Reset(int32_t stream_id, uint32_t error) {
  RequireH2(
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream_id, error));
}

}  // namespace rls
