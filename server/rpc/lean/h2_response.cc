#include "rpc/lean/h2_response.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "rpc/lean/grpc_words.h"
#include "rpc/lean/h2_memory.h"

namespace rls {
namespace {

// The longest status message before encoding, which may triple its length. By
// default clients accept at most 8 KiB of headers, and nghttp2 sends no headers
// at all beyond 64 KiB.
constexpr size_t kMaxStatusMessageBytes = 2 << 10;

// A header field. nghttp2 copies the name and the value, except where `flags`
// forbids it. Texts that nghttp2 does not copy must live until it has sent
// them, so they must be constants.
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

nghttp2_nv AcceptedEncodings() {
  return Constant("grpc-accept-encoding", kAcceptedEncodings);
}

absl::string_view NumberOf(absl::StatusCode code) {
  static constexpr absl::string_view kNumbers[] = {
      "0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
      "9", "10", "11", "12", "13", "14", "15", "16"};
  return kNumbers[static_cast<size_t>(code)];
}

// The end of a call: the fields of its last header block.
class Trailers {
 public:
  // If the call sends no message, the block holds the response headers too
  // (`with_headers`).
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
      Add(AcceptedEncodings());
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

}  // namespace

void H2Response::Begin(nghttp2_session* session, Call& call) {
  call.responded_ = true;
  if (call.finished_ && call.sending_.empty()) {
    const Trailers trailers(call.status_, /*with_headers=*/true);
    RequireH2(nghttp2_submit_response(
        session, call.stream_id_, trailers.fields(), trailers.size(), nullptr));
    return;
  }
  static const nghttp2_nv kHeaders[] = {
      Constant(":status", "200"), Constant("content-type", "application/grpc"),
      AcceptedEncodings()};
  // Clients that do not compress have no use for the last one.
  const bool compresses = call.encoding_ != Encoding::kIdentity;
  SubmitMessages(session, call, kHeaders,
                 std::size(kHeaders) - (compresses ? 0 : 1));
}

void H2Response::RefuseAsHttp(nghttp2_session* session, Call& call,
                              absl::string_view http_status) {
  static constexpr absl::string_view kText = "gRPC only: POST application/grpc";
  call.finished_ = call.responded_ = call.http_only_ = true;
  const nghttp2_nv headers[] = {Constant(":status", http_status),
                                Constant("content-type", "text/plain"),
                                Constant("allow", "POST")};
  if (call.is_head_) {  // The response to HEAD has no body.
    RequireH2(nghttp2_submit_response(session, call.stream_id_, headers,
                                      std::size(headers), nullptr));
    return;
  }
  call.sending_.Append(kText);
  call.CountUnsent(static_cast<ptrdiff_t>(kText.size()));
  SubmitMessages(session, call, headers, std::size(headers));
}

void H2Response::SubmitMessages(nghttp2_session* session, Call& call,
                                const nghttp2_nv* headers, size_t size) {
  nghttp2_data_provider messages;
  messages.source.ptr = &call;
  messages.read_callback = ReadMessages;
  RequireH2(nghttp2_submit_response(session, call.stream_id_, headers, size,
                                    &messages));
}

ssize_t H2Response::ReadMessages(nghttp2_session* session, int32_t stream_id,
                                 uint8_t* buffer, size_t room, uint32_t* flags,
                                 nghttp2_data_source* source, void*) {
  Call& call = *static_cast<Call*>(source->ptr);
  const absl::string_view bytes = call.sending_.view().substr(0, room);
  std::copy(bytes.begin(), bytes.end(), buffer);
  const size_t count = bytes.size();
  call.sending_.Drop(count);
  call.CountUnsent(-static_cast<ptrdiff_t>(count));
  if (!call.sending_.empty()) return static_cast<ssize_t>(count);
  if (call.http_only_) {
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

}  // namespace rls
