#ifndef RLS_LIMIT_KEY_HASH_H_
#define RLS_LIMIT_KEY_HASH_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "limit/charge.h"

namespace rls {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;

  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// The secret key of the hashes of a process or an installation.
struct HashSeed {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

// A seed from the operating system's random source.
HashSeed RandomSeed();

// SipHash-1-3 with 128 bits of output. It is fast for short keys, and an
// attacker who knows neither the seed nor any hash cannot make two inputs
// collide (docs/decisions/0003).
// Source: Aumasson, Bernstein: SipHash, a fast short-input PRF (2012), and its
// reference code for the 128-bit variant.
Hash128 SipHash128(const HashSeed& seed, absl::string_view bytes);

// The hash of a whole counter key. Different keys give different inputs: each
// text is preceded by its length and padded with zeros to whole words.
Hash128 HashKey(const HashSeed& seed, const CounterKey& key);

}  // namespace rls

#endif  // RLS_LIMIT_KEY_HASH_H_
