#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "unit/config/config_fixture.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr char kStart[] = "rate_limit:\n  default_rps: 1\n";
const std::string& Digest() {
  static const auto* const digest = new std::string(64, 'a');
  return *digest;
}

TEST(IdentityFormatTest, AnAssignmentMayNameAHash) {
  const LoadedFile file = Load(absl::StrCat(
      kStart, "  user_tiers: {pro: {rps: 5}}\n  user_assignments:\n",
      "    sha256:", std::string(64, 'A'), ": pro\n    bob: pro\n"));
  ASSERT_TRUE(file.errors.empty()) << file.errors[0].ToString();
  EXPECT_EQ(file.domain->tiers->hashed_assignments.at(Digest()), 0u);
  EXPECT_EQ(file.domain->tiers->assignments.size(), 1u);
  EXPECT_THAT(
      ErrorsOf(absl::StrCat(kStart, "  user_tiers: {pro: {rps: 5}}\n",
                            "  user_assignments: {'sha256:ab': pro}\n")),
      HasSubstr("f.yaml:4: found \"sha256:ab\", expected sha256: and 64"));
}

TEST(IdentityFormatTest, UsersMayBeMarkedSecretOrPublic) {
  const auto shown = [](const std::string& identity) {
    return MustLoad(absl::StrCat(kStart, "  identity: ", identity, "\n"))
        .tiers->shown_users;
  };
  EXPECT_EQ(shown("[user, token]"), ShownUsers::kListed);
  EXPECT_EQ(shown("[user, {key: a, secret: true}]"), ShownUsers::kNone);
  EXPECT_EQ(shown("[{key: a, public: true}, {key: b, public: true}]"),
            ShownUsers::kAll);
  EXPECT_THAT(ErrorsOf(absl::StrCat(
                  kStart, "  identity: [user, {key: a, public: true}]\n")),
              HasSubstr("f.yaml:3: identity: public: true is only on some"));
}

TEST(IdentityFormatTest, BoundsKeysAndNetworks) {
  std::string keys = "a";
  for (size_t i = 0; i < kMaxIdentityKeys; ++i) keys += ", a";
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  identity: [", keys, "]\n")),
              HasSubstr("f.yaml:3: identity: more than 16 keys"));
  std::string networks = "  exempt:\n";
  for (size_t i = 0; i <= kMaxExemptNetworks; ++i) {
    absl::StrAppend(&networks, "  - 10.", i / 256, ".", i % 256, ".0/24\n");
  }
  EXPECT_EQ(ErrorsOf(kStart + networks),
            "f.yaml:1004: exempt: more than 1000 networks");
}

TEST(IdentityFormatTest, ReadsExemptUsersAndNetworks) {
  const DomainSpec domain = MustLoad(absl::StrCat(
      kStart, "  exempt: [monitor, 10.0.0.0/8, '::1', 'sha256:", Digest(),
      "']\n"));
  const ExemptSpec& exempt = *domain.tiers->exempt;
  EXPECT_TRUE(exempt.users.contains("monitor"));
  EXPECT_EQ(exempt.users.size(), 1u);
  EXPECT_EQ(exempt.networks.size(), 2u);
  EXPECT_TRUE(exempt.hashed_users.contains(Digest()));
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  exempt: [10.0.0.0/40]\n")),
              HasSubstr("f.yaml:3: exempt: found \"10.0.0.0/40\", expected a "
                        "network such as 10.0.0.0/8"));
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  exempt: bob\n")),
              HasSubstr("expected a list of users and networks"));
}

TEST(IdentityFormatTest, ReadsTheAnonymousLimit) {
  const DomainSpec domain = MustLoad(absl::StrCat(
      kStart, "  on_backend_error: deny\n",
      "  anonymous: {rps: 7, window_seconds: 10, ipv4_prefix: 24}\n"));
  const AnonymousSpec& anonymous = *domain.tiers->anonymous;
  EXPECT_EQ(anonymous.rule.policy.limit, 7);
  EXPECT_EQ(anonymous.rule.policy.window, absl::Seconds(10));
  EXPECT_EQ(anonymous.rule.on_backend_error, OnBackendError::kDeny);
  EXPECT_TRUE(anonymous.by_address);
  EXPECT_TRUE(anonymous.unknown_users);
  EXPECT_EQ(anonymous.networks.ipv4, 24);
  EXPECT_EQ(anonymous.networks.ipv6, 64);
  const DomainSpec shared = MustLoad(absl::StrCat(
      kStart, "  anonymous: {rps: 7, by: shared, unknown_users: false}\n"));
  EXPECT_FALSE(shared.tiers->anonymous->by_address);
  EXPECT_FALSE(shared.tiers->anonymous->unknown_users);
  EXPECT_THAT(ErrorsOf(absl::StrCat(kStart, "  anonymous: {by: shared}\n")),
              HasSubstr("f.yaml:3: anonymous: found no rps"));
  EXPECT_THAT(
      ErrorsOf(
          absl::StrCat(kStart, "  anonymous: {rps: 1, ipv4_prefix: 33}\n")),
      HasSubstr("ipv4_prefix: found \"33\", expected a whole number from 0 to "
                "32"));
}

}  // namespace
}  // namespace rls
