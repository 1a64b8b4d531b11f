#include "compare/empty_h2_connection.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "compare/empty_service.h"

namespace rls {
namespace {

constexpr absl::string_view kPath =
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
constexpr size_t kPrefixBytes = 5;
constexpr int32_t kWindowBytes = 1 << 24;

}  // namespace

EmptyH2Call* EmptyH2Memory::TakeCall() {
  if (spare.empty()) {
    return calls.emplace_back(std::make_unique<EmptyH2Call>()).get();
  }
  EmptyH2Call* const call = spare.back();
  spare.pop_back();
  return call;
}

struct EmptyH2Connection::Callbacks {
  using Call = EmptyH2Call;

  static Call* CallOf(nghttp2_session* session, int32_t stream) {
    return static_cast<Call*>(
        nghttp2_session_get_stream_user_data(session, stream));
  }

  static int OnBeginHeaders(nghttp2_session* session,
                            const nghttp2_frame* frame, void* self) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return nghttp2_session_set_stream_user_data(
        session, frame->hd.stream_id,
        static_cast<EmptyH2Connection*>(self)->memory_.TakeCall());
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame,
                      const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void*) {
    const auto text = [](const uint8_t* bytes, size_t size) {
      return absl::string_view(reinterpret_cast<const char*>(bytes), size);
    };
    if (text(name, name_size) != ":path") return 0;
    Call* const call = CallOf(session, frame->hd.stream_id);
    if (call != nullptr) call->known_path = text(value, value_size) == kPath;
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t stream,
                    const uint8_t* bytes, size_t size, void*) {
    Call* const call = CallOf(session, stream);
    if (call == nullptr) return 0;
    call->request.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame,
                     void* self) {
    const bool last =
        (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    Call* const call = last ? CallOf(session, frame->hd.stream_id) : nullptr;
    if (call == nullptr) return 0;
    if (!static_cast<EmptyH2Connection*>(self)->Answer(*call)) {
      return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
                                       frame->hd.stream_id,
                                       NGHTTP2_INTERNAL_ERROR);
    }
    static const nghttp2_nv kHeaders[] = {
        ConstantField(":status", "200"),
        ConstantField("content-type", "application/grpc")};
    nghttp2_data_provider body;
    body.source.ptr = call;
    body.read_callback = ReadAnswer;
    return nghttp2_submit_response(session, frame->hd.stream_id, kHeaders,
                                   std::size(kHeaders), &body);
  }

  static ssize_t ReadAnswer(nghttp2_session* session, int32_t stream,
                            uint8_t* out, size_t room, uint32_t* flags,
                            nghttp2_data_source* source, void*) {
    Call& call = *static_cast<Call*>(source->ptr);
    const size_t count = std::min(room, call.answer.size() - call.sent);
    std::copy_n(call.answer.data() + call.sent, count, out);
    call.sent += count;
    if (call.sent == call.answer.size()) {
      static const nghttp2_nv kTrailer = ConstantField("grpc-status", "0");
      *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_submit_trailer(session, stream, &kTrailer, 1);
    }
    return static_cast<ssize_t>(count);
  }

  static int OnClose(nghttp2_session* session, int32_t stream, uint32_t,
                     void* self) {
    Call* const call = CallOf(session, stream);
    if (call == nullptr) return 0;
    call->request.clear();
    call->answer.clear();
    call->sent = 0;
    call->known_path = false;
    static_cast<EmptyH2Connection*>(self)->memory_.spare.push_back(call);
    return 0;
  }

  static const nghttp2_session_callbacks* All() {
    static const nghttp2_session_callbacks* const kCallbacks = [] {
      nghttp2_session_callbacks* all = nullptr;
      nghttp2_session_callbacks_new(&all);
      nghttp2_session_callbacks_set_on_begin_headers_callback(all,
                                                              OnBeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback(all, OnHeader);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, OnData);
      nghttp2_session_callbacks_set_on_frame_recv_callback(all, OnFrame);
      nghttp2_session_callbacks_set_on_stream_close_callback(all, OnClose);
      return all;
    }();
    return kCallbacks;
  }
};

EmptyH2Connection::EmptyH2Connection(FileDescriptor socket, int epoll,
                                     EmptyH2Memory& memory)
    : memory_(memory), link_(std::move(socket), epoll, this) {}

bool EmptyH2Connection::Proceed() {
  // Not in the constructor, which may run on another thread.
  if (link_.session() == nullptr) {
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, Callbacks::All(), this);
    link_.Start(session, kWindowBytes);
  }
  return link_.Read(absl::MakeSpan(memory_.room)) && link_.Write();
}

// False: not a request of ShouldRateLimit.
bool EmptyH2Connection::Answer(EmptyH2Call& call) {
  if (!call.known_path || call.request.size() < kPrefixBytes) return false;
  const auto size = static_cast<int>(call.request.size() - kPrefixBytes);
  if (!memory_.request.ParseFromArray(call.request.data() + kPrefixBytes,
                                      size)) {
    return false;
  }
  WriteEmptyAnswer(memory_.request, memory_.response);
  call.answer.assign(kPrefixBytes, '\0');
  memory_.response.AppendToString(&call.answer);
  const uint32_t answer_size =
      htonl(static_cast<uint32_t>(call.answer.size() - kPrefixBytes));
  std::memcpy(&call.answer[1], &answer_size, sizeof(answer_size));
  return true;
}

}  // namespace rls
