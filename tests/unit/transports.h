#ifndef RLS_TESTS_UNIT_TRANSPORTS_H_
#define RLS_TESTS_UNIT_TRANSPORTS_H_

#include <gtest/gtest.h>

#include <string>

#include "rpc/grpc_server.h"
#include "rpc_lean/lean_server.h"

namespace rls {

struct Transport {
  const char* name;
  decltype(&NewGrpcServer) make;
};

// For suites of what both promise.
inline auto BothTransports() {
  return ::testing::Values(Transport{"Grpc", NewGrpcServer},
                           Transport{"Lean", NewLeanServer});
}
inline std::string NameOfTransport(
    const ::testing::TestParamInfo<Transport>& one) {
  return one.param.name;
}

}  // namespace rls

#endif  // RLS_TESTS_UNIT_TRANSPORTS_H_
