#ifndef RLS_RPC_REFLECTION_H_
#define RLS_RPC_REFLECTION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// Server reflection for transports that do not bring their own: a serialized
// ServerReflectionRequest -> the serialized response. What is not known is an
// error_response in it. v1 and v1alpha have the same messages.
//
// Failure: INVALID_ARGUMENT, when the bytes are no request.
// Source: https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1
absl::StatusOr<std::string> AnswerReflection(absl::string_view request);

}  // namespace rls

#endif  // RLS_RPC_REFLECTION_H_
