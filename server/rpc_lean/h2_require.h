#ifndef RLS_RPC_LEAN_H2_REQUIRE_H_
#define RLS_RPC_LEAN_H2_REQUIRE_H_

#include <cstdint>
#include <cstdlib>

#include "base/log.h"

namespace rls {

// For calls of nghttp2 that fail only for want of memory, for which nothing is
// prepared.
inline void RequireH2(int result) {
  if (result == 0) return;
  LogError("HTTP/2: out of memory");
  std::abort();
}

// The PING that tells when the client knows of our GOAWAY.
inline constexpr uint8_t kGoAwayPing[8] = {'g', 'o', 'i', 'n', 'g', 0, 0, 0};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_REQUIRE_H_
