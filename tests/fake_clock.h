#ifndef RLS_TESTS_FAKE_CLOCK_H_
#define RLS_TESTS_FAKE_CLOCK_H_

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"

namespace rls {

// A clock that a test sets by hand. It starts at a whole hour, so that the
// edges of windows are easy to name.
//
// Its value is in a file in memory, so that a child process can read the same
// clock (support/fake_time_preload.cc).
class FakeClock final : public Clock {
 public:
  FakeClock() : now_ns_(NewMapping()) {}
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;
  ~FakeClock() override {
    munmap(now_ns_, sizeof(*now_ns_));
    close(file_);
  }

  absl::Time Now() const override {
    return absl::FromUnixNanos(now_ns_->load());
  }
  absl::Duration Elapsed() const override { return Now() - absl::UnixEpoch(); }
  void Advance(absl::Duration by) { *now_ns_ += absl::ToInt64Nanoseconds(by); }
  void Set(absl::Time now) { *now_ns_ = absl::ToUnixNanos(now); }

  // The path of the file: nanoseconds since the Unix epoch, eight bytes. Valid
  // as long as the clock lives.
  const std::string& path() const { return path_; }

 private:
  std::atomic<int64_t>* NewMapping() {
    file_ = memfd_create("fake_clock", MFD_CLOEXEC);
    void* mapping = MAP_FAILED;
    if (ftruncate(file_, sizeof(int64_t)) == 0) {
      mapping = mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE,
                     MAP_SHARED, file_, 0);
    }
    if (mapping == MAP_FAILED) {
      std::perror("no memory for a clock");
      std::abort();
    }
    path_ =
        "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file_);
    return new (mapping) std::atomic<int64_t>(1'700'002'800'000'000'000);
  }

  int file_ = -1;
  std::string path_;
  std::atomic<int64_t>* const now_ns_;
};

static_assert(std::atomic<int64_t>::is_always_lock_free);

}  // namespace rls

#endif  // RLS_TESTS_FAKE_CLOCK_H_
