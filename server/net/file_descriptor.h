#ifndef RLS_NET_FILE_DESCRIPTOR_H_
#define RLS_NET_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace rls {

// Owns an open file descriptor, or none.
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

  int get() const { return fd_; }  // -1: none

 private:
  int fd_ = -1;
};

}  // namespace rls

#endif  // RLS_NET_FILE_DESCRIPTOR_H_
