#include "net/accepted_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "net/socket.h"

namespace rls {

std::optional<absl::string_view> AcceptedSocket::Read(std::string& buffer) {
  buffer.resize(kReadBytes);
  const ssize_t count = recv(fd_.get(), buffer.data(), kReadBytes, 0);
  if (count < 0 && IsTransient(errno)) return absl::string_view();
  if (count <= 0) return std::nullopt;
  if (tls_ != nullptr) return Decrypt(static_cast<size_t>(count), buffer);
  return absl::string_view(buffer.data(), static_cast<size_t>(count));
}

std::optional<absl::string_view> AcceptedSocket::Decrypt(size_t count,
                                                         std::string& buffer) {
  if (!tls_->Receive(absl::string_view(buffer.data(), count)).ok()) {
    return std::nullopt;
  }
  if (!tls_->established()) return absl::string_view();
  // TLS may keep an incomplete record of an earlier read, and return it
  // together with the next record.
  constexpr size_t kMaxRecordBytes = 16 << 10;
  size_t size = 0;
  while (true) {
    buffer.resize(std::max(buffer.size(), size + kMaxRecordBytes));
    const absl::StatusOr<size_t> read =
        tls_->Read(absl::MakeSpan(buffer).subspan(size));
    if (!read.ok()) return std::nullopt;
    if (*read == 0) return absl::string_view(buffer.data(), size);
    size += *read;
  }
}

bool AcceptedSocket::Write(absl::string_view bytes) {
  if (tls_ != nullptr) {
    if (!bytes.empty() && !tls_->Write(bytes).ok()) return false;
    bytes = tls_->output();
  }
  const bool kept = !unsent_.empty();
  if (kept) {
    unsent_.Append(bytes);
    bytes = unsent_.view();
  }
  ssize_t count = 0;
  if (!bytes.empty()) {
    count = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && !IsTransient(errno)) return false;
  }
  const auto sent = static_cast<size_t>(std::max<ssize_t>(count, 0));
  sent_bytes_ += sent;
  if (kept) {
    unsent_.Drop(sent);
  } else {
    unsent_.Append(bytes.substr(sent));
  }
  if (tls_ != nullptr) tls_->ClearOutput();
  return true;
}

void AcceptedSocket::CloseWriting() {
  if (tls_ != nullptr) {
    tls_->Close();
    Write({});  // The close_notify alert. A failure has no consequence.
  }
  shutdown(fd_.get(), SHUT_WR);
}

}  // namespace rls
