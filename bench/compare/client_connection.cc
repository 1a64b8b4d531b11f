#include "compare/client_connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "net/socket.h"

namespace rls {
namespace {

constexpr int32_t kWindowBytes = 1 << 24;

FileDescriptor ConnectTo(int port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    EndLoad("connect", std::strerror(errno));
  }
  fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

}  // namespace

void EndLoad(const char* step, const char* reason) {
  std::fprintf(stderr, "compare_load: %s: %s\n", step, reason);
  std::exit(EXIT_FAILURE);
}

struct ClientConnection::Callbacks {
  static ClientCall* CallOf(nghttp2_session* session, int32_t stream) {
    return static_cast<ClientCall*>(
        nghttp2_session_get_stream_user_data(session, stream));
  }

  static ssize_t ReadRequest(nghttp2_session*, int32_t, uint8_t* out,
                             size_t room, uint32_t* flags,
                             nghttp2_data_source* source, void*) {
    ClientCall& call = *static_cast<ClientCall*>(source->ptr);
    const size_t count = std::min(room, call.request.size() - call.sent);
    std::copy_n(call.request.data() + call.sent, count, out);
    call.sent += count;
    if (call.sent == call.request.size()) *flags = NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame,
                      const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void*) {
    const auto text = [](const uint8_t* bytes, size_t size) {
      return absl::string_view(reinterpret_cast<const char*>(bytes), size);
    };
    if (text(name, name_size) != "grpc-status") return 0;
    ClientCall* const call = CallOf(session, frame->hd.stream_id);
    if (call != nullptr &&
        !absl::SimpleAtoi(text(value, value_size), &call->grpc_status)) {
      EndLoad("grpc-status", "not a number");
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t stream,
                    const uint8_t* bytes, size_t size, void*) {
    ClientCall* const call = CallOf(session, stream);
    if (call != nullptr) {
      call->answer.append(reinterpret_cast<const char*>(bytes), size);
    }
    return 0;
  }

  static int OnClose(nghttp2_session* session, int32_t stream, uint32_t,
                     void* self) {
    ClientCall* const call = CallOf(session, stream);
    if (call == nullptr) return 0;
    auto& connection = *static_cast<ClientConnection*>(self);
    --connection.in_flight_;
    connection.on_end_(*call);
    return 0;
  }

  static nghttp2_session* NewSession(ClientConnection* self) {
    static const nghttp2_session_callbacks* const kCallbacks = [] {
      nghttp2_session_callbacks* all = nullptr;
      nghttp2_session_callbacks_new(&all);
      nghttp2_session_callbacks_set_on_header_callback(all, OnHeader);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, OnData);
      nghttp2_session_callbacks_set_on_stream_close_callback(all, OnClose);
      return all;
    }();
    nghttp2_session* session = nullptr;
    nghttp2_session_client_new(&session, kCallbacks, self);
    return session;
  }
};

ClientConnection::ClientConnection(int port, int epoll,
                                   absl::Span<const nghttp2_nv> headers,
                                   OnEnd on_end)
    : headers_(headers),
      on_end_(std::move(on_end)),
      link_(ConnectTo(port), epoll, this) {
  link_.Start(Callbacks::NewSession(this), kWindowBytes);
}

void ClientConnection::Send(ClientCall& call) {
  call.sent = 0;
  call.answer.clear();
  call.grpc_status = -1;
  nghttp2_data_provider body;
  body.source.ptr = &call;
  body.read_callback = Callbacks::ReadRequest;
  const int32_t stream = nghttp2_submit_request(
      link_.session(), nullptr, headers_.data(), headers_.size(), &body, &call);
  if (stream < 0) EndLoad("request", nghttp2_strerror(stream));
  ++in_flight_;
  flushed_ = false;
}

void ClientConnection::Flush() {
  if (flushed_) return;
  flushed_ = true;
  if (!link_.Write()) EndLoad("send", "the connection is over");
}

void ClientConnection::Proceed(absl::Span<uint8_t> room) {
  if (!link_.Read(room)) EndLoad("receive", "the connection is over");
  flushed_ = false;
  Flush();
}

}  // namespace rls
