#ifndef RLS_RPC_REFLECTION_H_
#define RLS_RPC_REFLECTION_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// Server reflection for transports that do not bring their own.
//
// Threads: one.
// Source: https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1
class Reflection {
 public:
  Reflection() = default;
  Reflection(const Reflection&) = delete;
  Reflection& operator=(const Reflection&) = delete;

  // A serialized ServerReflectionRequest -> the serialized response. What is
  // not known is an error_response in it. v1 and v1alpha have the same
  // messages.
  //
  // Failure: INVALID_ARGUMENT, when the bytes are no request.
  absl::StatusOr<std::string> Answer(absl::string_view request);

 private:
  // A file's name -> it and all that it imports, as they are answered; no more
  // entries than files in this process. Serializing them is nearly all of what
  // an answer costs.
  absl::flat_hash_map<std::string, std::string> files_;
};

}  // namespace rls

#endif  // RLS_RPC_REFLECTION_H_
