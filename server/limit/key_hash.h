#ifndef RLS_LIMIT_KEY_HASH_H_
#define RLS_LIMIT_KEY_HASH_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "limit/counter_key.h"

namespace rls {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;

  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// The secret of a process or an installation that keyed hashes are made with.
struct HashSeed {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

// A seed from the operating system's random source.
HashSeed RandomSeed();

// SipHash-1-3 with 128 bits of output: short keys are fast, and who does not
// know the seed, and sees no hash, cannot make two inputs collide
// (decisions/0003).
// Source: Aumasson, Bernstein: SipHash, a fast short-input PRF (2012), and its
// reference code for the 128-bit variant.
Hash128 SipHash128(const HashSeed& seed, absl::string_view bytes);

// The hash of a whole counter key. Different keys are different inputs: every
// part enters with its length before it, filled up to whole words with zeros.
Hash128 HashKey(const HashSeed& seed, const CounterKey& key);

}  // namespace rls

#endif  // RLS_LIMIT_KEY_HASH_H_
