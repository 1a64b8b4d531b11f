#ifndef RLS_TESTS_UNIT_FAKE_LIMITER_H_
#define RLS_TESTS_UNIT_FAKE_LIMITER_H_

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "limiter/limiter.h"

namespace rls {

// A limiter that answers as the test says: OK for every descriptor unless told
// otherwise.
class FakeLimiter final : public Limiter {
 public:
  using Answer = std::function<void(const Query&, CheckCallback)>;

  void Check(const Query& query, CheckCallback done) override {
    Answer answer;
    {
      absl::MutexLock lock(&mutex_);
      ++checks_;
      answer = answer_;
    }
    if (answer) {
      answer(query, std::move(done));
      return;
    }
    Verdict verdict;
    verdict.statuses.resize(query.descriptors.size());
    done(&verdict);
  }

  void SetAnswer(Answer answer) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }

  int checks() const {
    absl::MutexLock lock(&mutex_);
    return checks_;
  }

  // Waits until so many requests have come.
  void AwaitChecks(int count) const {
    const auto reached = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return checks_ >= count;
    };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&reached));
  }

 private:
  mutable absl::Mutex mutex_;
  Answer answer_ ABSL_GUARDED_BY(mutex_);
  int checks_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_FAKE_LIMITER_H_
