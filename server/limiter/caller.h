#ifndef RLS_LIMITER_CALLER_H_
#define RLS_LIMITER_CALLER_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/mutex.h"

namespace rls {

// The client that waits for an answer. The transport calls Leave() when the
// client disconnects or cancels. A request without a Caller is never held,
// because the end of its client would go unnoticed.
//
// Threads: every method may be called by any thread.
class Caller {
 public:
  Caller() = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // For the transport: the client no longer waits for the answer.
  void Leave() {
    absl::AnyInvocable<void()> gone;
    {
      const MutexLock lock(&mutex_);
      has_left_ = true;
      gone = std::exchange(gone_, nullptr);
    }
    if (gone) gone();
  }

  // Runs `gone` once the client has left, at once if it already has. Forget()
  // before that cancels it.
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
