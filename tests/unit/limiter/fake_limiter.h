#ifndef RLS_TESTS_UNIT_LIMITER_FAKE_LIMITER_H_
#define RLS_TESTS_UNIT_LIMITER_FAKE_LIMITER_H_

#include <atomic>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "limiter/limiter.h"

namespace rls {

// A limiter with the answer of the test. Default: OK for every descriptor.
class FakeLimiter final : public Limiter {
 public:
  using Answer = std::function<void(const Query&, CheckCallback)>;

  void Check(const Query& query, CheckCallback done) override {
    Count(checks_);
    if (const Answer& answer = CurrentAnswer(); answer != nullptr) {
      answer(query, std::move(done));
    } else {
      Verdict verdict;
      verdict.statuses.resize(query.descriptors.size());
      done(&verdict);
    }
    Count(answered_);
  }

  void Drain(absl::Duration) override {}

  // Call before the first request.
  void SetAnswer(Answer answer) {
    MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }

  int checks() const { return checks_.load(); }

  // Waits until `count` requests have come.
  void AwaitChecks(int count) const { Await(checks_, count); }

  // Waits until the answer has run for `count` requests: its results can be
  // read.
  void AwaitAnswered(int count) const { Await(answered_, count); }

 private:
  // Constant from the first request on. The lock shows ThreadSanitizer an order
  // that it cannot see: gRPC brings the request after SetAnswer().
  const Answer& CurrentAnswer() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    MutexLock lock(&mutex_);
    return answer_;
  }

  static void Count(std::atomic<int>& counter) {
    ++counter;
    counter.notify_all();
  }
  static void Await(const std::atomic<int>& counter, int count) {
    for (int seen = counter.load(); seen < count; seen = counter.load()) {
      counter.wait(seen);
    }
  }

  Mutex mutex_;
  Answer answer_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int> checks_{0};
  std::atomic<int> answered_{0};
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LIMITER_FAKE_LIMITER_H_
