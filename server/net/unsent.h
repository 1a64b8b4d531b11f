#ifndef RLS_NET_UNSENT_H_
#define RLS_NET_UNSENT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// Bytes that wait to be sent: appended at the end, dropped at the front, each
// at a cost that does not grow with how many there are.
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
    // A peer that once was slow should not hold the memory for ever.
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

#endif  // RLS_NET_UNSENT_H_
