#ifndef RLS_STORE_REDIS_PACKED_H_
#define RLS_STORE_REDIS_PACKED_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "limit/algorithms.h"
#include "limit/judge.h"

namespace rls {

// Numbers between us and a script: Lua's own doubles, little endian. Integers
// within 2^53 are exact.
static_assert(std::endian::native == std::endian::little);

// The state behind the value of a plain counter, read at `now` of Redis: see
// scripts/fixed.lua.
inline CounterState PlainState(const Policy& policy, absl::Time now,
                               int64_t used) {
  return {.anchor_ns = WindowAt(policy, absl::ToUnixNanos(now)).start_ns,
          .used = ClampTo(used, 0, kMaxAmount)};
}

class PackedWriter {
 public:
  void Add(int64_t number) {
    const auto value = static_cast<double>(number);
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    text_.append(bytes, sizeof(bytes));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// In 2116: a counter's times and what is added to them stay in 64 bits.
inline constexpr int64_t kLatestNs = INT64_MAX / 2;

// The caller reads no more than left(). What no script gives becomes a number
// within kMaxAmount, or a time that can be, so that all can be computed with.
class PackedReader {
 public:
  explicit PackedReader(absl::string_view text) : text_(text) {}

  size_t left() const { return text_.size() / sizeof(double); }
  bool at_end() const { return text_.empty(); }

  int64_t Integer() {
    double value = 0;
    std::memcpy(&value, text_.data(), sizeof(value));
    text_.remove_prefix(sizeof(value));
    constexpr auto kMost = static_cast<double>(kMaxAmount);
    // A NaN is as little as can be.
    return static_cast<int64_t>(value > -kMost ? std::min(value, kMost)
                                               : -kMost);
  }
  absl::Time Microseconds() {
    return absl::FromUnixMicros(ClampTo(Integer(), 0, kLatestNs / 1000));
  }

 private:
  absl::string_view text_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_PACKED_H_
