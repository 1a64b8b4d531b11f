#ifndef RLS_CLIENT_CHANNEL_H_
#define RLS_CLIENT_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "commands.h"

namespace rls {

// To the server at `address`; it connects at the first call.
//
// Failure: INVALID_ARGUMENT that names the file of TLS that cannot be used and
// why.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const std::string& address, const TlsArguments& tls);

}  // namespace rls

#endif  // RLS_CLIENT_CHANNEL_H_
