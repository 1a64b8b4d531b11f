#ifndef RLS_STORE_REDIS_KEY_TEXT_H_
#define RLS_STORE_REDIS_KEY_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "limit/charge.h"

namespace rls {

// The Redis key of a counter: prefix, scope and parts, separated by `|`.
// Example:
//   default/1m|user|{user-123}
// The part in braces is the hash tag of Redis Cluster: all counters of one user
// are in one hash slot. Ambiguous or unprintable bytes are written as %XX. A
// secret value, or a value that is too long, is written as `#` and the first
// 128 bits of its HMAC-SHA-256. Two different counter keys never share a Redis
// key.
//
// Threads: Write() may be called by many threads at once.
class KeyText {
 public:
  // `prefix` is written unchanged before each key. `hash_secret` is the key of
  // the hashes, and must be the same in all replicas.
  KeyText(std::string prefix, std::string hash_secret);

  std::string Write(const CounterKey& key) const;

  // Values longer than this are hashed.
  static constexpr size_t kMaxPartBytes = 200;

 private:
  const std::string prefix_;
  const std::string hash_secret_;
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_KEY_TEXT_H_
