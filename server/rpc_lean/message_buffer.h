#ifndef RLS_RPC_LEAN_MESSAGE_BUFFER_H_
#define RLS_RPC_LEAN_MESSAGE_BUFFER_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "net/unsent.h"

namespace rls {

// The bytes of one direction of a gRPC stream: messages, each after a flag byte
// and its length, split over frames anyhow.
class MessageBuffer {
 public:
  enum class Found {
    kNothing,  // not one whole message more
    kMessage,
    kCompressed,  // its flag says so
    kTooLarge,    // its length says so; the rest need not be awaited
  };

  void Append(absl::string_view bytes);

  // Takes the next message, valid until the next Append() or Clear().
  Found Take(size_t max_bytes, absl::string_view& message);

  // Whether all that has come has been taken.
  bool empty() const { return taken_ == bytes_.size(); }
  size_t size() const { return bytes_.size(); }

  void Clear();

 private:
  std::string bytes_;
  size_t taken_ = 0;
};

inline constexpr size_t kMessagePrefixBytes = 5;

// Appends `message` with its prefix: not compressed.
void AppendMessage(absl::string_view message, Unsent& to);

}  // namespace rls

#endif  // RLS_RPC_LEAN_MESSAGE_BUFFER_H_
