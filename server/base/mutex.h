#ifndef RLS_BASE_MUTEX_H_
#define RLS_BASE_MUTEX_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#if defined(RLS_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace rls {

// absl::Mutex with annotations for ThreadSanitizer. Debian's Abseil is not
// built with ThreadSanitizer, which therefore does not see its locks. In every
// other build the annotations compile to nothing. Clang's thread-safety
// analysis is off inside the methods, because it would also count the
// absl::Mutex.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    BeforeLock(0);
    mutex_.Lock();
    AfterLock(0);
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    BeforeUnlock(0);
    mutex_.Unlock();
    AfterUnlock(0);
  }
  bool TryLock()
      ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const bool locked = mutex_.TryLock();
    if (locked) AfterTryLock();
    return locked;
  }
  void ReaderLock() ABSL_SHARED_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    BeforeLock(kReader);
    mutex_.ReaderLock();
    AfterLock(kReader);
  }
  void ReaderUnlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    BeforeUnlock(kReader);
    mutex_.ReaderUnlock();
    AfterUnlock(kReader);
  }

 private:
#if defined(RLS_TSAN)
  static constexpr unsigned kReader = __tsan_mutex_read_lock;

  void BeforeLock(unsigned flags) { __tsan_mutex_pre_lock(this, flags); }
  void AfterLock(unsigned flags) { __tsan_mutex_post_lock(this, flags, 0); }
  void BeforeUnlock(unsigned flags) { __tsan_mutex_pre_unlock(this, flags); }
  void AfterUnlock(unsigned flags) { __tsan_mutex_post_unlock(this, flags); }
  void AfterTryLock() {
    __tsan_mutex_pre_lock(this, __tsan_mutex_try_lock);
    __tsan_mutex_post_lock(this, __tsan_mutex_try_lock, 0);
  }
#else
  static constexpr unsigned kReader = 0;

  void BeforeLock(unsigned) {}
  void AfterLock(unsigned) {}
  void BeforeUnlock(unsigned) {}
  void AfterUnlock(unsigned) {}
  void AfterTryLock() {}
#endif

  absl::Mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(*mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class ABSL_SCOPED_LOCKABLE ReaderMutexLock {
 public:
  explicit ReaderMutexLock(Mutex* mutex) ABSL_SHARED_LOCK_FUNCTION(mutex)
      : mutex_(*mutex) {
    mutex_.ReaderLock();
  }
  ~ReaderMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.ReaderUnlock(); }
  ReaderMutexLock(const ReaderMutexLock&) = delete;
  ReaderMutexLock& operator=(const ReaderMutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace rls

#endif  // RLS_BASE_MUTEX_H_
