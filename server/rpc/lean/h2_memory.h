#ifndef RLS_RPC_LEAN_H2_MEMORY_H_
#define RLS_RPC_LEAN_H2_MEMORY_H_

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <cstdlib>

#include "base/log.h"

namespace rls {

// For functions of nghttp2 that fail only if memory is exhausted. The server
// cannot continue then, and aborts.
inline void RequireH2(int result) {
  if (result == 0) return;
  LogError("HTTP/2: out of memory");
  std::abort();
}

// The allocator of nghttp2. Keeps small blocks for reuse, because each stream
// needs a dozen of them for a few microseconds. Large blocks come from malloc.
//
// Threads: the loop's thread only.
// Lifetime: outlives every session that uses it.
class H2Memory {
 public:
  H2Memory();
  ~H2Memory();
  H2Memory(const H2Memory&) = delete;
  H2Memory& operator=(const H2Memory&) = delete;

  nghttp2_mem* mem() { return &mem_; }

 private:
  // The sizes of small blocks are powers of two, from 32 bytes.
  static constexpr size_t kSmallestBits = 5;
  static constexpr size_t kSizes = 7;
  static constexpr size_t kMaxSpareBytes = 4 << 20;

  // Stands before each block. Its alignment keeps the block aligned as malloc
  // aligns.
  struct alignas(std::max_align_t) Head {
    size_t size_index;  // kSizes: a large block
    size_t bytes;       // the capacity of the block
    Head* next;         // the next spare block of this size
  };

  static void* Malloc(size_t size, void* self);
  static void Free(void* block, void* self);
  static void* Calloc(size_t count, size_t size, void* self);
  static void* Realloc(void* block, size_t size, void* self);

  nghttp2_mem mem_;
  std::array<Head*, kSizes> spare_ = {};
  size_t spare_bytes_ = 0;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_MEMORY_H_
