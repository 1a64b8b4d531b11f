#ifndef RLS_RPC_LEAN_METHOD_H_
#define RLS_RPC_LEAN_METHOD_H_

#include "absl/strings/string_view.h"

namespace rls {

// The methods of the lean transport.
enum class Method {
  kUnknown,  // UNIMPLEMENTED
  kShouldRateLimit,
  kHealthCheck,
  kHealthWatch,
  kReflection,
};

// By the request's path, "/package.Service/Method".
Method MethodOf(absl::string_view path);

// Whether the client sends one message; else any number, each answered as it
// comes.
constexpr bool TakesOneMessage(Method method) {
  return method != Method::kReflection;
}

}  // namespace rls

#endif  // RLS_RPC_LEAN_METHOD_H_
