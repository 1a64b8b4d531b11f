#ifndef RLS_RPC_LEAN_GRPC_WORDS_H_
#define RLS_RPC_LEAN_GRPC_WORDS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace rls {

// The values of gRPC's HTTP/2 headers.
//
// Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

// grpc-timeout: one to eight digits and a unit, H, M, S, m, u or n. nullopt:
// the value is malformed.
std::optional<absl::Duration> ParseGrpcTimeout(absl::string_view text);

// grpc-message: "%", and each byte that is not printable ASCII, become "%XX".
std::string EncodeGrpcMessage(absl::string_view text);

// content-type: "application/grpc", also with "+codec" or ";parameters".
bool IsGrpcContentType(absl::string_view text);

}  // namespace rls

#endif  // RLS_RPC_LEAN_GRPC_WORDS_H_
