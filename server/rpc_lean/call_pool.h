#ifndef RLS_RPC_LEAN_CALL_POOL_H_
#define RLS_RPC_LEAN_CALL_POOL_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "rpc_lean/call.h"

namespace rls {

// The calls of one loop, used again and again, and what bounds them.
//
// Threads: the loop's only.
// Lifetime: outlives every call that it gave.
class CallPool {
 public:
  // Open or held at once. One more stream is refused.
  static constexpr size_t kMaxCalls = 100'000;
  // Of requests, until they are answered. What comes beyond is refused.
  static constexpr size_t kMaxBufferedBytes = 64 << 20;
  // Of answers for clients that do not read. A stream that would have more to
  // say is ended; the only answer of a call is sent all the same.
  static constexpr size_t kMaxUnsentBytes = 64 << 20;

  CallPool() = default;
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  // Null when there are kMaxCalls.
  Call* Get();
  void Put(Call& call);

  size_t size() const { return size_; }

  // What the calls have received.
  size_t buffered_bytes = 0;
  // What they have to send.
  size_t unsent_bytes = 0;

 private:
  static constexpr size_t kSpareCalls = 1024;  // kept for later

  std::vector<std::unique_ptr<Call>> spare_;
  size_t size_ = 0;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CALL_POOL_H_
