#ifndef RLS_RPC_GRPC_CREDENTIALS_H_
#define RLS_RPC_GRPC_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "rpc/rpc_server.h"

namespace rls {

// How the general transport's port is secured, as the options say.
//
// Failure: INVALID_ARGUMENT that names the file and what is wrong with it.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(
    const RpcServerOptions& options);

}  // namespace rls

#endif  // RLS_RPC_GRPC_CREDENTIALS_H_
