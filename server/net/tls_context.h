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

// The text of the oldest error in OpenSSL's queue of this thread. Clears the
// queue.
std::string TakeSslError();

// Identifies a version of a file: a changed file has another stamp. All zero:
// no such file.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  int64_t modified_ns = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// The only implementation of TlsContext.
class OpenSslContext final : public TlsContext {
 public:
  // One stamp for each file of TlsOptions.
  using Stamps = std::array<FileStamp, 3>;
  enum class Role { kClient, kHttp2Server, kHttp1Server };

  OpenSslContext(Role role, const TlsOptions& options, const Stamps& stamps,
                 SslContextPtr context);

  // A server's options have the form of a client's: `ca_file` and `server_name`
  // are the authority and the name of its clients.
  const TlsOptions& options() const { return options_; }

  // A new connection with the current files. Null: out of memory.
  SslPtr NewSsl() const;

 private:
  const Role role_;
  const TlsOptions options_;

  mutable Mutex mutex_;
  // The stamps of the files that were read last, usable or not, so that
  // unusable files are logged once and not at each connection.
  mutable Stamps stamps_ ABSL_GUARDED_BY(mutex_);
  mutable SslContextPtr context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_NET_TLS_CONTEXT_H_
