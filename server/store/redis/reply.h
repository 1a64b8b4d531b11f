#ifndef RLS_STORE_REDIS_REPLY_H_
#define RLS_STORE_REDIS_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct redisReader;
struct redisReply;

namespace rls {

// A view of a reply of Redis, or of an element of a reply.
class ReplyView {
 public:
  explicit ReplyView(const redisReply* reply) : reply_(reply) {}

  bool is_error() const;
  // The text of a string, status or error. "" for other types.
  absl::string_view text() const;
  std::optional<int64_t> integer() const;  // nullopt for other types
  size_t size() const;  // the number of array elements; 0 for other types
  ReplyView operator[](size_t index) const;
  // The value of a name in an array of alternating names and values. "" if the
  // name is missing.
  absl::string_view Field(absl::string_view name) const;

  // The first word of an error, such as NOSCRIPT. "" for other types.
  absl::string_view error_code() const;

 private:
  const redisReply* reply_;
};

// The most elements of one array. The largest reply that we ask for is the map
// of a cluster.
inline constexpr size_t kMaxReplyElements = 1 << 16;

// Splits a stream of bytes into replies.
class ReplyReader {
 public:
  ReplyReader();

  void Feed(absl::string_view bytes);

  struct Free {
    void operator()(redisReply* reply) const;
  };
  using Owned = std::unique_ptr<redisReply, Free>;

  // The next complete reply, or null if more bytes are needed.
  //
  // Failure: UNAVAILABLE if the bytes are not the Redis protocol, or an array
  // announces more than kMaxReplyElements. The reader is then unusable.
  absl::StatusOr<Owned> Next();

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };
  const std::unique_ptr<redisReader, FreeReader> reader_;
};

// Append the elements of a command in the Redis protocol.
void AppendArrayHeader(size_t count, std::string& out);
void AppendBulk(absl::string_view text, std::string& out);

// A complete command in the Redis protocol.
std::string Command(const std::vector<absl::string_view>& words);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REPLY_H_
