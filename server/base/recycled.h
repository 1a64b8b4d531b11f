#ifndef RLS_BASE_RECYCLED_H_
#define RLS_BASE_RECYCLED_H_

#include <cstddef>
#include <memory>
#include <new>

namespace rls {

// A base class of `T` that keeps freed objects of `T` in a list per thread and
// reuses their memory. Use it for objects that every request creates and
// destroys, and that are too large for malloc's own fast lists. Builds with a
// sanitizer reuse no memory, so that the sanitizer finds a use after free.
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
