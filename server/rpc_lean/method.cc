#include "rpc_lean/method.h"

namespace rls {

Method MethodOf(absl::string_view path) {
  // First the one that is asked for thousands of times a second.
  if (path == "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit") {
    return Method::kShouldRateLimit;
  }
  if (path == "/grpc.health.v1.Health/Check") return Method::kHealthCheck;
  if (path == "/grpc.health.v1.Health/Watch") return Method::kHealthWatch;
  if (path == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" ||
      path ==
          "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") {
    return Method::kReflection;
  }
  return Method::kUnknown;
}

}  // namespace rls
