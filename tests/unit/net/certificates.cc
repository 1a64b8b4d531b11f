#include "unit/net/certificates.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace rls {
namespace {

template <typename Write>
std::string Pem(Write write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(write(bio), 1);
  std::string text(1 << 16, '\0');
  const int count = BIO_read(bio, text.data(), static_cast<int>(text.size()));
  text.resize(static_cast<size_t>(count));
  BIO_free(bio);
  return text;
}

void AddExtension(X509& certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(&certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// A certificate without its issuer, extensions and signature.
Identity Draft(const CertificateOptions& options) {
  Identity made{OpenSslPtr<X509>(X509_new()),
                OpenSslPtr<EVP_PKEY>(EVP_EC_gen("P-256"))};
  X509& certificate = *made.certificate;
  X509_set_version(&certificate, X509_VERSION_3);
  uint32_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(&certificate), options.valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(&certificate), options.valid_until_s);
  X509_set_pubkey(&certificate, made.key.get());
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(&certificate), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1, 0);
  return made;
}

void Sign(Identity& made, const X509& issuer, EVP_PKEY& key) {
  X509_set_issuer_name(made.certificate.get(), X509_get_subject_name(&issuer));
  ASSERT_GT(X509_sign(made.certificate.get(), &key, EVP_sha256()), 0);
}

}  // namespace

std::string Identity::CertificatePem() const {
  return Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, &*certificate); });
}

std::string Identity::KeyPem(const std::string& password) const {
  const auto* const bytes =
      reinterpret_cast<const unsigned char*>(password.data());
  return Pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(
        bio, &*key, password.empty() ? nullptr : EVP_aes_128_cbc(), bytes,
        static_cast<int>(password.size()), nullptr, nullptr);
  });
}

Identity NewAuthority(const std::string& name) {
  Identity made = Draft({.name = name});
  AddExtension(*made.certificate, NID_basic_constraints, "critical,CA:TRUE");
  Sign(made, *made.certificate, *made.key);
  return made;
}

Identity NewIdentity(const Identity& authority,
                     const CertificateOptions& options) {
  Identity made = Draft(options);
  AddExtension(*made.certificate, NID_subject_alt_name,
               options.alternative_names);
  Sign(made, *authority.certificate, *authority.key);
  return made;
}

}  // namespace rls
