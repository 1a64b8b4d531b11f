#ifndef RLS_LIMITER_CALLER_H_
#define RLS_LIMITER_CALLER_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/mutex.h"

namespace rls {

// Who waits for an answer, and may go away meanwhile. Only who can be heard
// going away is ever made to wait.
//
// Threads: every method may be called by any thread.
class Caller {
 public:
  Caller() = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // The transport's word: nobody waits for the answer any more.
  void Leave() {
    absl::AnyInvocable<void()> gone;
    {
      const MutexLock lock(&mutex_);
      has_left_ = true;
      gone = std::exchange(gone_, nullptr);
    }
    if (gone) gone();
  }

  // Runs `gone` once the caller has left, maybe at once, unless Forget() comes
  // first.
  void OnGone(absl::AnyInvocable<void()> gone) {
    {
      const MutexLock lock(&mutex_);
      if (!has_left_) {
        gone_ = std::move(gone);
        return;
      }
    }
    gone();
  }
  void Forget() {
    const MutexLock lock(&mutex_);
    gone_ = nullptr;
  }

 private:
  Mutex mutex_;
  bool has_left_ ABSL_GUARDED_BY(mutex_) = false;
  absl::AnyInvocable<void()> gone_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_LIMITER_CALLER_H_
