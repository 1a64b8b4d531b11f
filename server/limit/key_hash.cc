#include "limit/key_hash.h"

#include <bit>
#include <cstring>
#include <random>

namespace rls {
namespace {

// The bytes of a word in the order the algorithm wants: little endian.
uint64_t LoadWord(const char* bytes) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

class SipHasher {
 public:
  explicit SipHasher(const HashSeed& seed)
      : v0_(seed.k0 ^ 0x736f6d6570736575),
        v1_(seed.k1 ^ 0x646f72616e646f6d ^ 0xee),
        v2_(seed.k0 ^ 0x6c7967656e657261),
        v3_(seed.k1 ^ 0x7465646279746573) {}

  void Add(absl::string_view bytes) {
    const size_t pending = length_ % 8;
    length_ += bytes.size();
    if (pending > 0) {
      const size_t take = std::min(8 - pending, bytes.size());
      tail_ |= Partial(bytes.substr(0, take)) << (8 * pending);
      bytes.remove_prefix(take);
      if (pending + take < 8) return;
      Compress(tail_);
      tail_ = 0;
    }
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
      Compress(LoadWord(bytes.data()));
    }
    tail_ |= Partial(bytes);
  }

  void AddLength(uint64_t length) {
    char bytes[sizeof(length)];
    std::memcpy(bytes, &length, sizeof(length));
    Add(absl::string_view(bytes, sizeof(bytes)));
  }

  Hash128 Finish() {
    Compress(tail_ | (static_cast<uint64_t>(length_) << 56));
    v2_ ^= 0xee;
    Rounds(4);
    const uint64_t low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    Rounds(4);
    return {.low = low, .high = v0_ ^ v1_ ^ v2_ ^ v3_};
  }

 private:
  // Fewer than eight bytes as the low end of a word.
  static uint64_t Partial(absl::string_view bytes) {
    uint64_t word = 0;
    if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
    return word;
  }

  void Compress(uint64_t word) {
    v3_ ^= word;
    Rounds(2);
    v0_ ^= word;
  }

  void Rounds(int count) {
    for (; count > 0; --count) {
      v0_ += v1_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v3_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ += v3_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ += v1_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v2_ = std::rotl(v2_, 32);
    }
  }

  uint64_t v0_, v1_, v2_, v3_;
  uint64_t tail_ = 0;
  size_t length_ = 0;
};

}  // namespace

HashSeed RandomSeed() {
  std::random_device source;
  const auto word = [&source] {
    return static_cast<uint64_t>(source()) << 32 | source();
  };
  return {.k0 = word(), .k1 = word()};
}

Hash128 SipHash128(const HashSeed& seed, absl::string_view bytes) {
  SipHasher hasher(seed);
  hasher.Add(bytes);
  return hasher.Finish();
}

Hash128 HashKey(const HashSeed& seed, const CounterKey& key) {
  SipHasher hasher(seed);
  hasher.AddLength(key.scope.size());
  hasher.Add(key.scope);
  for (const absl::string_view part : key.parts) {
    hasher.AddLength(part.size());
    hasher.Add(part);
  }
  return hasher.Finish();
}

}  // namespace rls
