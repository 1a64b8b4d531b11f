#ifndef RLS_BASE_HANDOVER_H_
#define RLS_BASE_HANDOVER_H_

#if defined(RLS_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace rls {

// Declares to ThreadSanitizer that everything before Give() on one thread
// happens before Take() on another thread. Use it where the synchronisation is
// inside a library that is not built with ThreadSanitizer. In every other build
// both methods do nothing.
class Handover {
 public:
#if defined(RLS_TSAN)
  void Give() { __tsan_release(this); }
  void Take() { __tsan_acquire(this); }

 private:
  char address_ = 0;
#else
  void Give() {}
  void Take() {}
#endif
};

}  // namespace rls

#endif  // RLS_BASE_HANDOVER_H_
