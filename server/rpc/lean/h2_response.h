#ifndef RLS_RPC_LEAN_H2_RESPONSE_H_
#define RLS_RPC_LEAN_H2_RESPONSE_H_

#include <nghttp2/nghttp2.h>

#include "absl/strings/string_view.h"
#include "rpc/lean/call.h"

namespace rls {

// The response of a call as HTTP/2 frames: headers, messages and trailers.
//
// Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
struct H2Response {
  // Begins the response. nghttp2 then takes the messages of the call until the
  // call has finished, and sends the trailers after the last message. A call
  // that has finished without a message gets one header block only.
  static void Begin(nghttp2_session* session, Call& call);

  // Refuses a request that is not gRPC: an HTTP status and a line of text.
  // Finishes the call.
  static void RefuseAsHttp(nghttp2_session* session, Call& call,
                           absl::string_view http_status);

 private:
  static void SubmitMessages(nghttp2_session* session, Call& call,
                             const nghttp2_nv* headers, size_t size);
  static ssize_t ReadMessages(nghttp2_session* session, int32_t stream_id,
                              uint8_t* buffer, size_t room, uint32_t* flags,
                              nghttp2_data_source* source, void* user);
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_RESPONSE_H_
