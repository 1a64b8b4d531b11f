#ifndef RLS_RPC_LEAN_H2_MEMORY_H_
#define RLS_RPC_LEAN_H2_MEMORY_H_

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>

namespace rls {

// Where nghttp2 has its memory from: blocks that one thread uses again and
// again, as each stream needs a dozen small ones for microseconds. What is
// large comes from malloc.
//
// Threads: the loop's only.
// Lifetime: outlives every session that uses it.
class H2Memory {
 public:
  H2Memory();
  ~H2Memory();
  H2Memory(const H2Memory&) = delete;
  H2Memory& operator=(const H2Memory&) = delete;

  nghttp2_mem* mem() { return &mem_; }

 private:
  // Sizes are powers of two, from 32 bytes on.
  static constexpr size_t kSmallestBits = 5;
  static constexpr size_t kSizes = 7;
  static constexpr size_t kMaxSpareBytes = 4 << 20;

  // Before each block that is handed out; as large as malloc aligns.
  struct alignas(std::max_align_t) Head {
    size_t size_index;  // kSizes: from malloc
    size_t bytes;       // that the block can hold
    Head* next;         // while it is spare
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
