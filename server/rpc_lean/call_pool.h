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
  // Of requests that have not come to their end.
  static constexpr size_t kMaxBufferedBytes = 64 << 20;

  CallPool() = default;
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  // Null when there are kMaxCalls.
  Call* Get();
  void Put(Call& call);

  size_t size() const { return size_; }

  // What the calls have received and not taken.
  size_t buffered_bytes = 0;

 private:
  static constexpr size_t kSpareCalls = 1024;  // kept for later

  std::vector<std::unique_ptr<Call>> spare_;
  size_t size_ = 0;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_CALL_POOL_H_
