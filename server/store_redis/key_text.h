#ifndef RLS_STORE_REDIS_KEY_TEXT_H_
#define RLS_STORE_REDIS_KEY_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "limit/counter_key.h"

namespace rls {

// The Redis key of a counter: prefix, scope and parts, separated by `|`, as in
//   default/1m|user|{user-123}
// The part in braces is the hash tag of Redis Cluster: the counters of one user
// share a slot. Bytes that would be ambiguous or not printable are written as
// %XX; a secret value, or one too long for a key, as `#` and the first 128 bits
// of its HMAC-SHA-256. So two different counter keys never share a Redis key.
//
// Threads: Write() may be called by many threads at once.
class KeyText {
 public:
  // `prefix` is put before each key as it is; `hash_secret` keys the hashes and
  // must be the same in all replicas.
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
