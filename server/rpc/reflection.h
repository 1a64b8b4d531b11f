#ifndef RLS_RPC_REFLECTION_H_
#define RLS_RPC_REFLECTION_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// Server reflection for transports without their own implementation.
//
// Threads: one at a time.
// Source: https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1
class Reflection {
 public:
  Reflection() = default;
  Reflection(const Reflection&) = delete;
  Reflection& operator=(const Reflection&) = delete;

  // Takes a serialized ServerReflectionRequest and returns the serialized
  // response. For an unknown name, the response is an error_response. The
  // messages of v1 and v1alpha are the same.
  //
  // Failure: INVALID_ARGUMENT, if the bytes are not a request.
  absl::StatusOr<std::string> Answer(absl::string_view request);

 private:
  // The name of a file -> the serialized descriptors of the file and of all its
  // imports. Serializing them takes nearly all of the time of an answer. The
  // map has at most one entry for each file that is linked into the process.
  absl::flat_hash_map<std::string, std::string> files_;
};

}  // namespace rls

#endif  // RLS_RPC_REFLECTION_H_
