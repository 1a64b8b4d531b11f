#ifndef RLS_TESTS_FUZZ_FUZZ_LIMITER_H_
#define RLS_TESTS_FUZZ_FUZZ_LIMITER_H_

#include <memory>

#include "fake_clock.h"
#include "fake_loop.h"
#include "limiter/limiter.h"
#include "rules/rule_book.h"
#include "store/memory/memory_store.h"

namespace rls {

// A limiter with a small memory store and rules of every kind, in the domains
// `tree`, `plain` (accounting: independent), `queue`, `degrade` and `tokens`.
class FuzzLimiter {
 public:
  FuzzLimiter();

  FakeClock& clock() { return clock_; }
  Limiter& limiter() { return *limiter_; }

  void Pass(absl::Duration time);
  // Ends all requests that are held.
  void Drain();

 private:
  FakeClock clock_;
  FakeLoop loop_{clock_};
  RuleBookHolder rules_;
  std::unique_ptr<MemoryStore> store_;
  std::unique_ptr<MemoryStore> local_store_;
  std::unique_ptr<Limiter> limiter_;
};

}  // namespace rls

#endif  // RLS_TESTS_FUZZ_FUZZ_LIMITER_H_
