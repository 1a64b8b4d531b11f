#ifndef RLS_NET_ACCEPTED_SOCKET_H_
#define RLS_NET_ACCEPTED_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "net/socket.h"
#include "net/tls_session.h"

namespace rls {

// The socket of an accepted connection: non-blocking, with TLS or cleartext.
//
// Threads: one at a time.
class AcceptedSocket {
 public:
  // The bound for one turn, so that one client does not delay the others: about
  // 300 small requests, or half a millisecond.
  static constexpr size_t kReadBytes = 16 << 10;

  // If `tls` is null, the connection is cleartext.
  AcceptedSocket(FileDescriptor fd, std::unique_ptr<TlsSession> tls)
      : fd_(std::move(fd)), tls_(std::move(tls)) {}

  int fd() const { return fd_.get(); }

  // Returns the received bytes, in `buffer`. Empty: no bytes yet. nullopt: the
  // connection is closed for reading; kept output may still be sent.
  std::optional<absl::string_view> Read(std::string& buffer);

  // True: output can be written. With TLS: the handshake is complete and the
  // client's certificate is accepted.
  bool established() const { return tls_ == nullptr || tls_->established(); }

  // Sends the kept output and `bytes`, as much as the system takes, and keeps
  // the rest. False: the connection is closed.
  bool Write(absl::string_view bytes);
  size_t unsent() const { return unsent_.size(); }
  uint64_t sent_bytes() const { return sent_bytes_; }

  // Ends the output. Later Write() is not allowed.
  void CloseWriting();

 private:
  std::optional<absl::string_view> Decrypt(size_t count, std::string& buffer);

  const FileDescriptor fd_;
  const std::unique_ptr<TlsSession> tls_;
  Unsent unsent_;
  uint64_t sent_bytes_ = 0;
};

}  // namespace rls

#endif  // RLS_NET_ACCEPTED_SOCKET_H_
