#ifndef RLS_TESTS_UNIT_NET_CERTIFICATES_H_
#define RLS_TESTS_UNIT_NET_CERTIFICATES_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace rls {

struct OpenSslFree {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
template <typename T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

// A certificate and its key, made by the test.
struct Identity {
  OpenSslPtr<X509> certificate;
  OpenSslPtr<EVP_PKEY> key;

  std::string CertificatePem() const;
  std::string KeyPem(const std::string& password = "") const;
};

Identity NewAuthority(const std::string& name);

struct CertificateOptions {
  std::string name = "redis";
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1";
  long valid_from_s = -3600;  // relative to now
  long valid_until_s = 3600;
};
Identity NewIdentity(const Identity& authority,
                     const CertificateOptions& options);

}  // namespace rls

#endif  // RLS_TESTS_UNIT_NET_CERTIFICATES_H_
