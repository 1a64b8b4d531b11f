#ifndef RLS_TESTS_FUZZ_FUZZ_INPUT_H_
#define RLS_TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "absl/strings/string_view.h"

namespace rls {

// Reads an input of the fuzzer from its beginning. After the end, every number
// is 0 and every text is empty.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* bytes, size_t size)
      : rest_(reinterpret_cast<const char*>(bytes), size) {}

  bool empty() const { return rest_.empty(); }

  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  bool Bit() { return Byte() % 2 == 1; }
  // At most 256 different numbers, from 0.
  size_t Below(size_t bound) { return Byte() % bound; }

  uint64_t Number(int bytes) {
    uint64_t number = 0;
    for (int i = 0; i < bytes; ++i) number = number << 8 | Byte();
    return number;
  }

  template <typename T, size_t size>
  const T& OneOf(const T (&values)[size]) {
    static_assert(size <= 256);
    return values[Below(size)];
  }

  absl::string_view Take(size_t bytes) {
    const absl::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // A text of at most 255 bytes.
  absl::string_view Text() { return Take(Byte()); }
  absl::string_view Rest() { return Take(rest_.size()); }

 private:
  absl::string_view rest_;
};

// Ends the process, which the fuzzer counts as a finding.
inline void Require(bool holds, const char* expectation) {
  if (holds) return;
  std::fprintf(stderr, "expected: %s\n", expectation);
  std::abort();
}

}  // namespace rls

#endif  // RLS_TESTS_FUZZ_FUZZ_INPUT_H_
