#ifndef RLS_BASE_RECYCLED_H_
#define RLS_BASE_RECYCLED_H_

#include <cstddef>
#include <memory>
#include <new>

namespace rls {

// Gives `T`, which derives from it, memory that its thread uses again and
// again: for what is made and gone with every request and is too large for
// malloc's own quick lists. A sanitizer's build uses none twice, so that it
// sees what is used after its end.
template <typename T>
class Recycled {
 public:
  static void* operator new(size_t size) {
    List& list = OfThisThread();
    if (list.first == nullptr) return ::operator new(size);
    --list.size;
    Spare* const spare = list.first;
    list.first = spare->next;
    return spare;
  }

  static void operator delete(void* memory) {
    List& list = OfThisThread();
    if (list.size == kMaxSpare) {
      ::operator delete(memory);
      return;
    }
    ++list.size;
    list.first = new (memory) Spare{list.first};
  }

 private:
#if defined(RLS_SANITIZED)
  static constexpr size_t kMaxSpare = 0;
#else
  static constexpr size_t kMaxSpare = 64;
#endif

  struct Spare {
    Spare* next;
  };
  struct List {
    List() = default;
    ~List() {
      while (first != nullptr) {
        void* const memory = first;
        first = first->next;
        ::operator delete(memory);
      }
    }
    Spare* first = nullptr;
    size_t size = 0;
  };

  static List& OfThisThread() {
    thread_local List list;
    return list;
  }
};

}  // namespace rls

#endif  // RLS_BASE_RECYCLED_H_
