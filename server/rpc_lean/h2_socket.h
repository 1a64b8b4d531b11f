#ifndef RLS_RPC_LEAN_H2_SOCKET_H_
#define RLS_RPC_LEAN_H2_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "net/file_descriptor.h"
#include "net/tls_session.h"
#include "net/unsent.h"

namespace rls {

// A connected socket, with or without TLS, that never blocks.
//
// Threads: one.
class H2Socket {
 public:
  // Read in one turn, so that one client does not hold up the others.
  static constexpr size_t kReadBytes = 64 << 10;

  // `tls` is the server's end; null: none.
  H2Socket(FileDescriptor fd, std::unique_ptr<TlsSession> tls)
      : fd_(std::move(fd)), tls_(std::move(tls)) {}

  int fd() const { return fd_.get(); }

  // What has come, in `buffer`; empty: nothing yet. None: it is over, and only
  // what Write() has kept may still be said.
  std::optional<absl::string_view> Read(std::string& buffer);

  // Whether something can be written: TLS has found its peer trustworthy.
  bool established() const { return tls_ == nullptr || tls_->established(); }

  // Sends what was kept and these bytes, as much as the system takes, and keeps
  // the rest. False: it is over.
  bool Write(absl::string_view bytes);
  size_t unsent() const { return unsent_.size(); }
  uint64_t sent_bytes() const { return sent_bytes_; }

  // Nothing more will be written.
  void CloseWriting();

 private:
  std::optional<absl::string_view> Decrypt(size_t count, std::string& buffer);

  const FileDescriptor fd_;
  const std::unique_ptr<TlsSession> tls_;
  Unsent unsent_;
  uint64_t sent_bytes_ = 0;
};

}  // namespace rls

#endif  // RLS_RPC_LEAN_H2_SOCKET_H_
