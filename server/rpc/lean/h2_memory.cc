#include "rpc/lean/h2_memory.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace rls {

H2Memory::H2Memory() : mem_{this, Malloc, Free, Calloc, Realloc} {}

H2Memory::~H2Memory() {
  for (Head* head : spare_) {
    while (head != nullptr) std::free(std::exchange(head, head->next));
  }
}

void* H2Memory::Malloc(size_t size, void* self) {
  auto& memory = *static_cast<H2Memory*>(self);
  const size_t bits =
      std::max<size_t>(std::bit_width(size == 0 ? 0 : size - 1), kSmallestBits);
  const size_t index = std::min(bits - kSmallestBits, kSizes);
  if (index < kSizes && memory.spare_[index] != nullptr) {
    Head* const head = memory.spare_[index];
    memory.spare_[index] = head->next;
    memory.spare_bytes_ -= head->bytes;
    return head + 1;
  }
  const size_t bytes = index < kSizes ? size_t{1} << bits : size;
  if (bytes > SIZE_MAX - sizeof(Head)) return nullptr;
  void* const made = std::malloc(sizeof(Head) + bytes);
  if (made == nullptr) return nullptr;
  return new (made) Head{index, bytes, nullptr} + 1;
}

void H2Memory::Free(void* block, void* self) {
  if (block == nullptr) return;
  auto& memory = *static_cast<H2Memory*>(self);
  Head* const head = static_cast<Head*>(block) - 1;
  if (head->size_index == kSizes || memory.spare_bytes_ >= kMaxSpareBytes) {
    std::free(head);
    return;
  }
  head->next = std::exchange(memory.spare_[head->size_index], head);
  memory.spare_bytes_ += head->bytes;
}

void* H2Memory::Calloc(size_t count, size_t size, void* self) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* const block = Malloc(count * size, self);
  return block == nullptr ? nullptr : std::memset(block, 0, count * size);
}

void* H2Memory::Realloc(void* block, size_t size, void* self) {
  if (block == nullptr) return Malloc(size, self);
  const size_t had = (static_cast<Head*>(block) - 1)->bytes;
  if (size <= had) return block;
  void* const grown = Malloc(size, self);
  if (grown == nullptr) return nullptr;
  std::memcpy(grown, block, had);
  Free(block, self);
  return grown;
}

}  // namespace rls
