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

// A view of one reply of Redis, or of an element of one.
class ReplyView {
 public:
  explicit ReplyView(const redisReply* reply) : reply_(reply) {}

  bool is_error() const;
  // Of a string, status or error; "" of anything else.
  absl::string_view text() const;
  std::optional<int64_t> integer() const;  // nothing of anything else
  size_t size() const;  // elements of an array; 0 of anything else
  ReplyView operator[](size_t index) const;
  // Of an array of names and values in turn; "" when it has no such name.
  absl::string_view Field(absl::string_view name) const;

  // The first word of an error, such as NOSCRIPT; "" of anything else.
  absl::string_view error_code() const;

 private:
  const redisReply* reply_;
};

// Cuts a stream of bytes into replies.
class ReplyReader {
 public:
  ReplyReader();

  void Feed(absl::string_view bytes);

  struct Free {
    void operator()(redisReply* reply) const;
  };
  using Owned = std::unique_ptr<redisReply, Free>;

  // The next whole reply, or null when more bytes are needed. UNAVAILABLE when
  // the bytes are no replies of Redis; nothing can be read after that.
  absl::StatusOr<Owned> Next();

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };
  const std::unique_ptr<redisReader, FreeReader> reader_;
};

// Appends to a command under way, as Redis reads them.
void AppendArrayHeader(size_t count, std::string& out);
void AppendBulk(absl::string_view text, std::string& out);

// A whole command.
std::string Command(const std::vector<absl::string_view>& words);

}  // namespace rls

#endif  // RLS_STORE_REDIS_REPLY_H_
