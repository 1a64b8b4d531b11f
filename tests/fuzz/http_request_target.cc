// The bytes of an HTTP/1.1 connection.

#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "http/http_bounds.h"
#include "http/http_parser.h"

namespace rls {
namespace {

// Reads the requests of one connection as a connection does: it keeps the bytes
// that the parser did not take.
class Connection {
 public:
  void Receive(absl::string_view bytes) {
    kept_.append(bytes.data(), bytes.size());
    while (!over_ && (in_body_ ? TakeBody() : TakeHead())) {
    }
  }

  // The requests and the refusal that were read, as text.
  const std::string& log() const { return log_; }

 private:
  using Found = HttpParser::Found;

  bool TakeHead() {
    const Found found = parser_.ReadHead(kept_);
    if (found == Found::kPart) {
      Require(kept_.size() <= kMaxHttpHeadBytes, "a head is bounded");
    }
    if (found != Found::kWhole) return Refused(found);
    const HttpRequest& request = parser_.request();
    absl::StrAppend(&log_, request.method, " ", request.path, "?",
                    request.query, "\n");
    for (const HttpField& field : request.fields) {
      Require(!HasControls(field.name) && !field.name.empty(),
              "the name of a header has no control character");
      Require(field.value.find_first_of("\r\n") == field.value.npos &&
                  field.value.find('\0') == field.value.npos,
              "no value ends a header");
      absl::StrAppend(&log_, field.name, ": ", field.value, "\n");
    }
    in_body_ = parser_.has_body();
    keeps_alive_ = parser_.keeps_alive();
    const size_t size = parser_.head_bytes();
    Require(size > 0 && size <= kept_.size(), "a head has bytes");
    parser_.MoveHead(head_);
    kept_.erase(0, size);
    if (!in_body_) End();
    return true;
  }

  bool TakeBody() {
    size_t taken = 0;
    const Found found = parser_.ReadBody(kept_, &body_, taken);
    Require(taken <= kept_.size(), "the parser takes bytes that exist");
    kept_.erase(0, taken);
    Require(body_.size() <= kMaxHttpBodyBytes, "a body is bounded");
    if (found != Found::kWhole) return Refused(found);
    End();
    return true;
  }

  bool Refused(Found found) {
    if (found != Found::kRefused) return false;
    const HttpRefusal& refusal = parser_.refusal();
    Require(refusal.status >= 400 && refusal.status <= 505 &&
                !refusal.reason.empty(),
            "a refusal has a status and a reason");
    // A head in pieces may be refused for its first mistake, a whole one for
    // another one.
    absl::StrAppend(&log_, "refused\n");
    over_ = true;
    return false;
  }

  void End() {
    absl::StrAppend(&log_, "body ", body_, keeps_alive_ ? "\n" : " close\n");
    body_.clear();
    head_.clear();
    in_body_ = false;
    over_ = !keeps_alive_;
    parser_.Reset();
  }

  HttpParser parser_;
  std::string kept_;
  std::string head_;
  std::string body_;
  std::string log_;
  bool in_body_ = false;
  bool keeps_alive_ = true;
  bool over_ = false;
};

std::string Read(absl::string_view bytes, size_t portion) {
  Connection connection;
  while (!bytes.empty()) {
    connection.Receive(bytes.substr(0, portion));
    bytes.remove_prefix(std::min(portion, bytes.size()));
  }
  // A parser that waited for more bytes of a malformed request refuses it now.
  connection.Receive("\1\1\1\1\1\1\1\1");
  return connection.log();
}

}  // namespace

void FuzzHttpRequest(const uint8_t* bytes, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::string whole = Read(text, text.size());
  Require(Read(text, 1) == whole && Read(text, 7) == whole,
          "the size of the portions does not change the requests");
}

}  // namespace rls
