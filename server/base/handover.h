#ifndef RLS_BASE_HANDOVER_H_
#define RLS_BASE_HANDOVER_H_

#if defined(RLS_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace rls {

// Tells ThreadSanitizer that what one thread did before Give() is done when
// another one comes to Take(), where that is so by way of a library that is not
// built with it. In every other build it is nothing.
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
