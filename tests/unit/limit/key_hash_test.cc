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

// Tags of the inputs "", 00, 00 01, 00 01 02, ..., as `openssl mac -macopt
// hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 -macopt c-rounds:1
// -macopt d-rounds:3 SIPHASH` prints them.
constexpr absl::string_view kTags[] = {
    "e77ebcb22788a5befd62db6add303001", "fc6f370460d3eda85e0573cc2b2ff063",
    "75787f090569839b855bc9548c6aea95", "6bc5ccfa1edcf79f4823187712ebd743",
    "0c784e71ac2b285a9f8e92e78fbf2c25", "f328db89345b620c795229a42695843e",
    "dcd03d29f743e7100951b0e83985a6f8", "1084b923f2aae0c3a62f2ec80848ab77",
    "aa12fee1d5e3dab4724f16ab35f9c799", "81ddb8042cf33994f4720e0094137c42",
    "4faa541d5d498e89ba0ea4c387b22fb4", "723b9af3554491dbb1d6633dfc6e0c4e",
    "e53f92859e4819a8dc0695739fea8c65", "b2f858c7c9ea801d53d603596d657844",
    "87e76268dbc9227226b0ca665f64e378", "c17e5505b2bd526c2921cdec1e7e0109",
    "d0a8d95715518eebb513b0f83d9e1793", "234126f93fbb668d975112e8febdf7ec",
    "ef42f03db78f704d023c449f16b7092b", "abf76238c20af161b2314b4d5526bce9",
    "3c2c2f11bb90cf0be335ca9b2e91e9b7", "2a7a680f22a02a92f45149d20fece0ef",
    "c9a8d130231dd43e42e6456957f83779", "1d127b84405ceab99fd8775a9be6c559",
    "9e4bf837bcfd92cace09d2061a84d04a", "39031a965d73b4af5a274d18f973b1d2",
    "7f4d0a1209d67e4ed06f7538e1cfad64", "e61ee240fbdcce38969f4cd24927dd93",
    "4c3ba2b37b0fdd8cfa5e95c189b29414", "e06fd4ca066fecdd54068a5ad8896f86",
    "5ca84c34139c6580a88af24990720706", "42ea961c5b3c858b17c3e550dfa79010",
    "406c44dee67857b2943160f30c7417d3", "c5f57bae1320fcf4b4e868e71d56c66b",
    "04bf737a5b676be7c3de05017df4bff9", "5163c9c03f1907ea1044ed5c30727b4f",
    "37a110f002718edad24b3f9ee453f140", "b9877e381aedd3da08c33e75ff23ac10",
    "7c5004005ec5da4c5ac9440e5c723193", "81b8243783dbc646ca9d0cd82abdb46c",
    "505720543eb9b413d50b3cfad9eef938", "945f594de72411e4d335be874456d8f3",
    "37923b3e371777b21170bf9d7e62f602", "3ad4e7c85764964611eb0a6c4d62de56",
    "cd91396c44af4f5185578d9dd9803f0a", "fe28158e727b868f3903c9acda64a258",
    "40cc10b8288ce5f0bc3ac0b68a0eebc8", "6f1490f540699a3cd4974420ecc92737",
    "d505f1b75e1a84a603c43583b2ed0308", "491573cfd72bb4682b7ca5880e1c8d6f",
    "3ed69cfe45ab403f2fd2ad959ba27666", "8be839ef1b20b57c83ba7eb6a8c22b6a",
    "1409186ab42231fedee18162cf1cb4ca", "2bf3ccc24ab672cf151fb8d2f3f3069b",
    "b9b93a2882d6025cdb8c56fa13f7537b", "d97cca3694fb206db8bd1f3650c33322",
    "94ec2e19a40be41af3940d6b30c49384", "4b41603f209a045be140a341a3dffe10",
    "23fbcb309f1cf094890755ab1b426569", "e7d9b65690918a2b232f2f5c12c8300e",
    "ade83cf7e7f3847b36fa4b54b00dce61", "0610c5f2ee571c8ac80cbfe538bdf1c7",
    "271d5d00fbdb5d155d9dcea97cb40218", "4c5800e34efe426f079f6b0aa75260ad",
    "1253def24b4aa5364ec8a759ba6a66c2",
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
            "0722de367934d7e68a73925de2a8e230");
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

TEST(HashKey, DiffersForKeysThatAreEqualWhenJoined) {
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

// Splits the same bytes at every place, with lengths around the hash's blocks
// of eight bytes. No split has the hash of another one, whole or streamed.
TEST(HashKey, DiffersForEverySplitOfTheSameBytes) {
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

// The text that HashKey() streams: each piece with its length before it, as
// eight little-endian bytes, and zeros up to the next word behind it.
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
