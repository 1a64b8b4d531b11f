#include "store/redis/reply.h"

#include <hiredis/hiredis.h>

#include <array>
#include <charconv>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

void AppendSize(char kind, size_t size, std::string& out) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), size);
  out.push_back(kind);
  out.append(digits.begin(), end);
  out.append("\r\n");
}

// hiredis's own functions, which make the replies.
const redisReplyObjectFunctions& DefaultFunctions() {
  static const redisReplyObjectFunctions functions = [] {
    redisReader* const reader = redisReaderCreate();
    const redisReplyObjectFunctions copy = *reader->fn;
    redisReaderFree(reader);
    return copy;
  }();
  return functions;
}

// hiredis allocates the elements that an array announces before they arrive.
// The type of their number depends on the version of hiredis.
template <typename Count>
void* CreateBoundedArray(const redisReadTask* task, Count elements) {
  if (static_cast<size_t>(elements) > kMaxReplyElements) return nullptr;
  return DefaultFunctions().createArray(task, elements);
}

redisReplyObjectFunctions& BoundedFunctions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions bounded = DefaultFunctions();
    bounded.createArray = CreateBoundedArray;
    return bounded;
  }();
  return functions;
}

}  // namespace

bool ReplyView::is_error() const { return reply_->type == REDIS_REPLY_ERROR; }

std::optional<int64_t> ReplyView::integer() const {
  if (reply_->type != REDIS_REPLY_INTEGER) return std::nullopt;
  return reply_->integer;
}

absl::string_view ReplyView::text() const {
  switch (reply_->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
      return {reply_->str, static_cast<size_t>(reply_->len)};
    default:
      return "";
  }
}

size_t ReplyView::size() const {
  return reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0;
}

ReplyView ReplyView::operator[](size_t index) const {
  return ReplyView(reply_->element[index]);
}

absl::string_view ReplyView::Field(absl::string_view name) const {
  for (size_t i = 0; i + 1 < size(); i += 2) {
    if ((*this)[i].text() == name) return (*this)[i + 1].text();
  }
  return "";
}

absl::string_view ReplyView::error_code() const {
  if (!is_error()) return "";
  return text().substr(0, text().find(' '));
}

ReplyReader::ReplyReader() : reader_(redisReaderCreate()) {
  reader_->fn = &BoundedFunctions();
}

void ReplyReader::Feed(absl::string_view bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

absl::StatusOr<ReplyReader::Owned> ReplyReader::Next() {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    return absl::UnavailableError(
        absl::StrCat("not a Redis reply: ", reader_->errstr));
  }
  return Owned(static_cast<redisReply*>(reply));
}

void ReplyReader::Free::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

void ReplyReader::FreeReader::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

void AppendArrayHeader(size_t count, std::string& out) {
  AppendSize('*', count, out);
}

void AppendBulk(absl::string_view text, std::string& out) {
  AppendSize('$', text.size(), out);
  out.append(text.data(), text.size());
  out.append("\r\n");
}

std::string Command(const std::vector<absl::string_view>& words) {
  std::string command;
  AppendArrayHeader(words.size(), command);
  for (const absl::string_view word : words) AppendBulk(word, command);
  return command;
}

}  // namespace rls
