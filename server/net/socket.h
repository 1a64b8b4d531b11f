#ifndef RLS_NET_SOCKET_H_
#define RLS_NET_SOCKET_H_

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace rls {

// Owns an open file descriptor, or is empty.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }  // -1: empty

 private:
  int fd_ = -1;
};

// Whether this errno of a non-blocking socket only means: try again later.
inline bool IsTransient(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

// Bytes that wait to be sent. Append() and Drop() cost amortised time
// proportional to their own bytes, not to the bytes that wait.
class Unsent {
 public:
  void Append(absl::string_view bytes) {
    bytes_.append(bytes.data(), bytes.size());
  }
  absl::string_view view() const {
    return absl::string_view(bytes_).substr(sent_);
  }
  size_t size() const { return bytes_.size() - sent_; }
  bool empty() const { return size() == 0; }

  void Drop(size_t count) {
    sent_ += count;
    if (sent_ == bytes_.size()) {
      Clear();
    } else if (sent_ > bytes_.size() / 2) {
      bytes_.erase(0, sent_);
      sent_ = 0;
    }
  }

  void Clear() {
    // Frees the memory that piled up while the peer was slow.
    constexpr size_t kKeptBytes = 64 << 10;
    bytes_.clear();
    if (bytes_.capacity() > kKeptBytes) bytes_.shrink_to_fit();
    sent_ = 0;
  }

 private:
  std::string bytes_;
  size_t sent_ = 0;
};

}  // namespace rls

#endif  // RLS_NET_SOCKET_H_
