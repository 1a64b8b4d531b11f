#ifndef RLS_TESTS_UNIT_NET_TLS_SERVER_H_
#define RLS_TESTS_UNIT_NET_TLS_SERVER_H_

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "unit/net_certificates.h"
#include "unit/net_peer.h"

namespace rls {

struct TlsServerOptions {
  const Identity* identity = nullptr;
  const Identity* client_authority = nullptr;  // null: wants no certificate
  int newest_version = TLS1_3_VERSION;
};

// An echo server that speaks TLS, on a thread of its own, one connection after
// another.
class TlsServer {
 public:
  explicit TlsServer(const TlsServerOptions& options);
  ~TlsServer();

  Endpoint endpoint() const { return listener_.endpoint(); }

  // How each connection ended, in order: "refused" (no handshake), "good-bye",
  // "cut off"; before the colon the name that was asked for and that of the
  // client: "localhost gateway: good-bye".
  std::vector<std::string> Endings();

 private:
  void Serve();
  std::string Echo(int socket);

  OpenSslPtr<SSL_CTX> context_;
  Listener listener_;
  std::atomic<bool> closing_{false};
  Mutex mutex_;
  std::vector<std::string> endings_ ABSL_GUARDED_BY(mutex_);
  int current_ ABSL_GUARDED_BY(mutex_) = -1;
  std::thread thread_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_NET_TLS_SERVER_H_
