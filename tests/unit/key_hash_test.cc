#include "limit/key_hash.h"

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace rls {
namespace {

// The reference's key: bytes 00 01 ... 0f, as two little-endian halves.
constexpr HashSeed kReferenceSeed = {.k0 = 0x0706050403020100,
                                     .k1 = 0x0f0e0d0c0b0a0908};

// Tags of the inputs "", 00, 00 01, 00 01 02, ... The first and others are
// vectors_sip128 of the reference code; all are what `openssl mac -macopt
// hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH` prints.
constexpr absl::string_view kTags[] = {
    "a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
    "8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
    "f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
    "14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
    "3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
    "00110dc378146956c95447d3f3d0fbba", "0151c568386b6677a2b4dc6f81e5dc18",
    "d626b266905ef35882634df68532c125", "9869e247e9c08b10d029934fc4b952f7",
    "31fcefac66d7de9c7ec7485fe4494902", "5493e99933b0a8117e08ec0f97cfc3d9",
    "6ee2a4ca67b054bbfd3315bf85230577", "473d06e8738db89854c066c47ae47740",
    "a426e5e423bf4885294da481feaef723", "78017731cf65fab074d5208952512eb1",
    "9e25fc833f2290733e9344a5e83839eb", "568e495abe525a218a2214cd3e071d12",
    "4a29b54552d16b9a469c10528eff0aae", "c9d184ddd5a9f5e0cf8ce29a9abf691c",
    "2db479ae78bd50d8882a8a178a6132ad", "8ece5f042d5e447b5051b9eacb8d8f6f",
    "9c0b53b4b3c307e87eaee08678141f66", "abf248af69a6eae4bfd3eb2f129eeb94",
    "0664da1668574b88b935f3027358aef4", "aa4b9dc4bf337de90cd4fd3c467c6ab7",
    "ea5c7f471faf6bde2b1ad7d4686d2287", "2939b0183223fafc1723de4f52c43d35",
    "7c3956ca5eeafc3e363e9d556546eb68", "77c6077146f01c32b6b69d5f4ea9ffcf",
    "37a6986cb8847edf0925f0f1309b54de", "a705f0e69da9a8f907241a2e923c8cc8",
    "3dc47d1f29c448461e9e76ed904f6711", "0d62bf01e6fc0e1a0d3c4751c5d3692b",
    "8c03468bca7c669ee4fd5e084bbee7b5", "528a5bb93baf2c9c4473cce5d0d22bd9",
    "df6a301e95c95dad97ae0cc8c6913bd8", "801189902c857f39e73591285e70b6db",
    "e617346ac9c231bb3650ae34ccca0c5b", "27d93437efb721aa401821dcec5adf89",
    "89237d9ded9c5e78d8b1c9b166cc7342", "4a6d8091bf5e7d651189fa94a250b14c",
    "0e33f96055e7ae893ffc0e3dcf492902", "e61c432b720b19d18ec8d84bdc63151b",
    "f7e5aef549f782cf379055a608269b16", "438d030fd0b7a54fa837f2ad201a6403",
    "a590d3ee4fbf04e3247e0d27f286423f", "5fe2c1a172fe93c4b15cd37caef9f538",
    "2c97325cbd06b36eb2133dd08b3a017c", "92c814227a6bca949ff0659f002ad39e",
    "dce850110bd8328cfbd50841d6911d87", "67f14984c7da791248e32bb5922583da",
    "1938f2cf72d54ee97e94166fa91d2a36", "74481e9646ed49fe0f6224301604698e",
    "57fca5de98a9d6d8006438d0583d8a1d", "9fecde1cefdc1cbed4763674d9575359",
    "e3040c00eb28f15366ca73cbd872e740", "7697009a6a831dfecca91c5993670f7a",
    "5853542321f567a005d547a4f04759bd", "5150d1772f50834a503e069a973fbd7c",
    "1eaf077dc0d4cd3f8cad4d383658a74b",
};

std::string Hex(const Hash128& hash) {
  std::string bytes;
  for (const uint64_t half : {hash.low, hash.high}) {
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<char>(half >> shift & 0xff));
    }
  }
  return absl::BytesToHexString(bytes);
}

std::string Counting(size_t length) {
  std::string bytes;
  for (size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

Hash128 HashOf(absl::string_view scope,
               std::initializer_list<absl::string_view> parts) {
  return HashKey(kReferenceSeed,
                 {.scope = scope,
                  .parts = absl::MakeConstSpan(parts.begin(), parts.size())});
}

TEST(SipHash128, GivesTheReferencesTagsForEachLength) {
  for (size_t length = 0; length < std::size(kTags); ++length) {
    EXPECT_EQ(Hex(SipHash128(kReferenceSeed, Counting(length))), kTags[length])
        << length;
  }
}

TEST(SipHash128, DoesNotDependOnWhereTheBytesLie) {
  for (size_t offset = 0; offset < 16; ++offset) {
    const std::string shifted = std::string(offset, '?') + Counting(64) + "?";
    for (size_t length = 0; length < std::size(kTags); ++length) {
      const absl::string_view bytes =
          absl::string_view(shifted).substr(offset, length);
      ASSERT_EQ(Hex(SipHash128(kReferenceSeed, bytes)), kTags[length])
          << length << " bytes at offset " << offset;
    }
  }
}

TEST(SipHash128, TakesBytesAboveSevenBits) {
  const std::string high(9, '\xff');
  EXPECT_EQ(Hex(SipHash128(kReferenceSeed, high)),
            "a10a0e88ad15ea58172d8f70093ebefc");
}

TEST(SipHash128, DependsOnBothHalvesOfTheSeed) {
  const Hash128 hash = SipHash128({.k0 = 1, .k1 = 2}, "user-123");
  EXPECT_NE(hash, SipHash128({.k0 = 2, .k1 = 2}, "user-123"));
  EXPECT_NE(hash, SipHash128({.k0 = 1, .k1 = 1}, "user-123"));
  EXPECT_EQ(hash, SipHash128({.k0 = 1, .k1 = 2}, "user-123"));
}

TEST(RandomSeed, DiffersEachTime) {
  const HashSeed one = RandomSeed();
  const HashSeed two = RandomSeed();
  EXPECT_NE(one.k0, two.k0);
  EXPECT_NE(one.k1, two.k1);
}

TEST(HashKey, IsTheSameForEqualKeysInOtherMemory) {
  const std::string scope = "domain|fixed 60s";
  const std::string value(300, 'v');
  const std::string copy(300, 'v');
  EXPECT_EQ(HashOf("domain|fixed 60s", {"user_id", value}),
            HashOf(scope, {std::string("user_id"), copy}));
}

TEST(HashKey, TellsKeysApartThatReadTheSameWhenJoined) {
  using absl::string_view;
  const string_view nul("\0", 1);
  const string_view one_as_length("\1\0\0\0\0\0\0\0", 8);
  std::vector<Hash128> hashes = {
      HashOf("", {}),
      HashOf("", {""}),
      HashOf("", {"", ""}),
      HashOf("abc", {}),
      HashOf("", {"abc"}),
      HashOf("a", {"bc"}),
      HashOf("ab", {"c"}),
      HashOf("", {"a", "bc"}),
      HashOf("", {"ab", "c"}),
      HashOf("", {"abc", ""}),
      HashOf("", {"", "abc"}),
      HashOf("", {"bc", "a"}),
      HashOf("", {"a", "b", "c"}),
      HashOf("a", {"b", "c"}),
      HashOf("", {nul}),
      HashOf("", {nul, nul}),
      HashOf("", {string_view("\0\0", 2)}),
      HashOf(nul, {}),
      HashOf("", {string_view("a\0b", 3)}),
      HashOf("", {"a", "b"}),
      HashOf("", {"a", one_as_length, "b"}),
      HashOf("", {one_as_length}),
      HashOf(one_as_length, {}),
      HashOf("", {"a_b", "c"}),
      HashOf("", {"a", "b_c"}),
      HashOf("a:b", {"c"}),
      HashOf("a", {"b:c"}),
  };
  for (size_t i = 0; i < hashes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NE(hashes[i], hashes[j]) << i << " and " << j;
    }
  }
}

// Splits of the same bytes at every place, over lengths around the hash's
// blocks of eight: no split equals another, whole or streamed.
TEST(HashKey, TellsEverySplitOfTheSameBytesApart) {
  for (const size_t length : {7, 8, 9, 15, 16, 17, 31, 64, 200}) {
    const std::string bytes(length, 'x');
    absl::flat_hash_set<std::string> seen;
    for (size_t i = 0; i <= length; ++i) {
      for (size_t j = i; j <= length; ++j) {
        const absl::string_view view = bytes;
        const Hash128 hash =
            HashOf(view.substr(0, i), {view.substr(i, j - i), view.substr(j)});
        EXPECT_TRUE(seen.insert(Hex(hash)).second)
            << length << " bytes split at " << i << " and " << j;
      }
    }
  }
}

// Each piece with its length before it, as eight little-endian bytes, and with
// zeros behind it up to the next word: piece by piece, it hashes as the whole.
TEST(HashKey, StreamingThePartsEqualsHashingTheWhole) {
  const auto with_length = [](absl::string_view piece) {
    std::string bytes;
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<char>(piece.size() >> shift & 0xff));
    }
    const size_t zeros = (8 - piece.size() % 8) % 8;
    return bytes + std::string(piece) + std::string(zeros, '\0');
  };
  for (size_t first = 0; first <= 20; ++first) {
    for (size_t second = 0; second <= 20; ++second) {
      const std::string scope = Counting(first);
      const std::string part = Counting(second);
      const std::string whole = with_length(scope) + with_length(part) +
                                with_length("user-123") + with_length("");
      EXPECT_EQ(HashOf(scope, {part, "user-123", ""}),
                SipHash128(kReferenceSeed, whole))
          << first << " and " << second << " bytes";
    }
  }
}

TEST(HashKey, EveryByteOfEveryPartCounts) {
  const std::string value = Counting(70);
  const Hash128 whole = HashOf("scope", {"key", value});
  for (size_t i = 0; i < value.size(); ++i) {
    std::string changed = value;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_NE(HashOf("scope", {"key", changed}), whole) << i;
  }
  EXPECT_NE(HashOf("scopf", {"key", value}), whole);
  EXPECT_NE(HashOf("scope", {"kez", value}), whole);
}

TEST(HashKey, DependsOnTheSeed) {
  const absl::string_view parts[] = {"user_id", "user-123"};
  const CounterKey key = {.scope = "scope", .parts = parts};
  EXPECT_NE(HashKey({.k0 = 1, .k1 = 2}, key), HashKey({.k0 = 1, .k1 = 3}, key));
}

}  // namespace
}  // namespace rls
