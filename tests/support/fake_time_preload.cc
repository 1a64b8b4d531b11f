// A library for LD_PRELOAD. The program that loads it sees the wall clock that
// a test sets by hand (fake_clock.h). The monotonic clocks, which measure
// durations, stay real.
//
// RLS_FAKE_TIME_FILE is the path of the file with the time: nanoseconds since
// the Unix epoch in eight bytes, which this library maps. Without the variable
// nothing changes.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

const int64_t* Map() {
  const char* const path = std::getenv("RLS_FAKE_TIME_FILE");
  if (path == nullptr) return nullptr;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  void* const mapping =
      mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (mapping == MAP_FAILED) {
    // With the real time, the test would fail without a visible reason.
    std::perror(path);
    std::abort();
  }
  close(file);
  return static_cast<const int64_t*>(mapping);
}

bool ReadFakeTime(timespec& now) {
  static const int64_t* const fake_ns = Map();
  if (fake_ns == nullptr) return false;
  const int64_t now_ns = __atomic_load_n(fake_ns, __ATOMIC_RELAXED);
  now.tv_sec = now_ns / kNanosPerSecond;
  now.tv_nsec = now_ns % kNanosPerSecond;
  return true;
}

int ReadTime(clockid_t clock, timespec* now) {
  if (clock == CLOCK_REALTIME && ReadFakeTime(*now)) return 0;
  return static_cast<int>(syscall(SYS_clock_gettime, clock, now));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  return ReadTime(clock, now);
}

int gettimeofday(timeval* __restrict now, void* __restrict) noexcept {
  timespec precise{};
  const int result = ReadTime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return result;
}

time_t time(time_t* now) noexcept {
  timespec precise{};
  ReadTime(CLOCK_REALTIME, &precise);
  if (now != nullptr) *now = precise.tv_sec;
  return precise.tv_sec;
}

}  // extern "C"
