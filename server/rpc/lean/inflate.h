#ifndef RLS_RPC_LEAN_INFLATE_H_
#define RLS_RPC_LEAN_INFLATE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rls {

// The values of the header grpc-encoding.
enum class Encoding { kIdentity, kGzip, kDeflate, kUnknown };

Encoding EncodingOf(absl::string_view name);

// The encodings that Inflate() knows, for the header grpc-accept-encoding.
inline constexpr absl::string_view kAcceptedEncodings = "identity,deflate,gzip";

// Decompresses one gRPC message into `message`, whose memory is reused. Never
// uses more than `max_bytes` and a constant. After a failure the size of
// `message` is about the number of bytes that were decompressed.
//
// Failure: UNIMPLEMENTED (kUnknown), INTERNAL (kIdentity, or the bytes are not
// one whole stream of the encoding), RESOURCE_EXHAUSTED (more than
// `max_bytes`). Source:
// https://github.com/grpc/grpc/blob/master/doc/compression.md, RFC 1950
// (deflate) and RFC 1952 (gzip).
absl::Status Inflate(Encoding encoding, absl::string_view compressed,
                     size_t max_bytes, std::string& message);

}  // namespace rls

#endif  // RLS_RPC_LEAN_INFLATE_H_
