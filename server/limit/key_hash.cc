#include "limit/key_hash.h"

#include <bit>
#include <cstring>
#include <random>

namespace rls {
namespace {

// Loads a word in the byte order of SipHash: little endian.
template <typename Word>
uint64_t LoadWord(const char* bytes) {
  static_assert(std::endian::native == std::endian::little);
  Word word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// Fewer than eight bytes as the low end of a word. Two loads that may overlap
// are faster than memcpy, which is a function call for a variable length.
uint64_t Partial(absl::string_view bytes) {
  const size_t size = bytes.size();
  if (size >= 4) {
    return LoadWord<uint32_t>(bytes.data()) |
           LoadWord<uint32_t>(bytes.data() + size - 4) << (8 * (size - 4));
  }
  if (size == 0) return 0;
  return LoadWord<uint8_t>(bytes.data()) |
         LoadWord<uint8_t>(bytes.data() + size / 2) << (8 * (size / 2)) |
         LoadWord<uint8_t>(bytes.data() + size - 1) << (8 * (size - 1));
}

class SipHasher {
 public:
  explicit SipHasher(const HashSeed& seed)
      : v0_(seed.k0 ^ 0x736f6d6570736575),
        v1_(seed.k1 ^ 0x646f72616e646f6d ^ 0xee),
        v2_(seed.k0 ^ 0x6c7967656e657261),
        v3_(seed.k1 ^ 0x7465646279746573) {}

  void AddWord(uint64_t word) {
    length_ += sizeof(word);
    Compress(word);
  }

  // Adds all whole words. Returns the remaining bytes.
  absl::string_view AddWhole(absl::string_view bytes) {
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
      AddWord(LoadWord<uint64_t>(bytes.data()));
    }
    return bytes;
  }

  // `rest`: the last bytes, fewer than eight.
  Hash128 Finish(absl::string_view rest) {
    Compress(Partial(rest) |
             (static_cast<uint64_t>(length_ + rest.size()) << 56));
    v2_ ^= 0xee;
    Rounds(3);
    const uint64_t low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    Rounds(3);
    return {.low = low, .high = v0_ ^ v1_ ^ v2_ ^ v3_};
  }

 private:
  void Compress(uint64_t word) {
    v3_ ^= word;
    Rounds(1);
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
  return hasher.Finish(hasher.AddWhole(bytes));
}

Hash128 HashKey(const HashSeed& seed, const CounterKey& key) {
  SipHasher hasher(seed);
  const auto add = [&hasher](absl::string_view piece) {
    hasher.AddWord(piece.size());
    const absl::string_view rest = hasher.AddWhole(piece);
    if (!rest.empty()) hasher.AddWord(Partial(rest));
  };
  add(key.scope);
  for (const absl::string_view part : key.parts) add(part);
  return hasher.Finish("");
}

}  // namespace rls
