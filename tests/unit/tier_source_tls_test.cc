#include <fstream>

#include "unit/net_certificates.h"
#include "unit/tier_source_fixture.h"

namespace rls {
namespace {

class TierSourceTlsTest : public TierSourceTest {
 protected:
  // A server with a certificate of `authority`, and a source that trusts the
  // authority `trusted`; what it answers.
  Tier AskOver(const Identity& authority, const Identity& trusted,
               const CertificateOptions& options) {
    const Identity identity = NewIdentity(authority, options);
    TierServer server(
        Telling("pro"),
        {.certificate = Write("certificate", identity.CertificatePem()),
         .key = Write("key", identity.KeyPem())});
    spec_.url = server.url("localhost");
    spec_.ca_file = Write("ca", trusted.CertificatePem());
    Open();
    return Ask("u");
  }

  static std::string Write(const std::string& name, const std::string& text) {
    std::string path =
        testing::TempDir() + "/tier_source_tls_" +
        testing::UnitTest::GetInstance()->current_test_info()->name() + name;
    std::ofstream(path) << text;
    return path;
  }

  const Identity ours_ = NewAuthority("ours");
  const Identity theirs_ = NewAuthority("theirs");
};

TEST_F(TierSourceTlsTest, ACertificateOfTheOwnAuthorityIsTrusted) {
  EXPECT_EQ(AskOver(ours_, ours_, {}), "pro");
}

TEST_F(TierSourceTlsTest, ACertificateOfAnotherAuthorityIsRefused) {
  EXPECT_EQ(AskOver(theirs_, ours_, {}), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

TEST_F(TierSourceTlsTest, ACertificateOfAnotherHostIsRefused) {
  EXPECT_EQ(
      AskOver(ours_, ours_, {.alternative_names = "DNS:elsewhere.example"}),
      std::nullopt);
}

TEST_F(TierSourceTlsTest, AnExpiredCertificateIsRefused) {
  EXPECT_EQ(AskOver(ours_, ours_, {.valid_until_s = -60}), std::nullopt);
}

TEST_F(TierSourceTlsTest, WithoutAnOwnAuthorityTheSystemsAreTrusted) {
  const Identity identity = NewIdentity(ours_, {});
  TierServer server(
      Telling("pro"),
      {.certificate = Write("certificate", identity.CertificatePem()),
       .key = Write("key", identity.KeyPem())});
  spec_.url = server.url("localhost");
  Open();
  EXPECT_EQ(Ask("u"), std::nullopt);
}

TEST_F(TierSourceTlsTest, AMissingAuthorityFileIsAFailure) {
  spec_.url = "https://localhost:1/{user_id}";
  spec_.ca_file = "/nowhere/ca.pem";
  Open();
  EXPECT_EQ(Ask("u"), std::nullopt);
  EXPECT_EQ(Lookups("unreachable"), 1);
}

}  // namespace
}  // namespace rls
