#ifndef RLS_NET_TLS_CONTEXT_H_
#define RLS_NET_TLS_CONTEXT_H_

#include <openssl/ssl.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "net/tls.h"

namespace rls {

struct SslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslContextPtr = std::unique_ptr<SSL_CTX, SslFree>;
using SslPtr = std::unique_ptr<SSL, SslFree>;

// The oldest error that OpenSSL remembers for this thread, in words; it
// remembers none afterwards.
std::string TakeSslError();

// What tells that a file has changed; all zero for one that is not there.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  int64_t modified_ns = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// The one TlsContext there is.
class OpenSslContext final : public TlsContext {
 public:
  // One for each of the files that TlsOptions names.
  using Stamps = std::array<FileStamp, 3>;
  enum class Role { kClient, kServer };

  OpenSslContext(Role role, const TlsOptions& options, const Stamps& stamps,
                 SslContextPtr context);

  // A server's are put as those of a client: the peer's authority, and its
  // name.
  const TlsOptions& options() const { return options_; }

  // This end with the files as they are now. Null without memory.
  SslPtr NewSsl() const;

 private:
  const Role role_;
  const TlsOptions options_;

  mutable Mutex mutex_;
  // Of the files that were read last, whether they could be used or not: what
  // cannot be used is logged once, not at each connection.
  mutable Stamps stamps_ ABSL_GUARDED_BY(mutex_);
  mutable SslContextPtr context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_NET_TLS_CONTEXT_H_
