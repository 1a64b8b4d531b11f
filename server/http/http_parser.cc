#include "http/http_parser.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "http/http_bounds.h"

namespace rls {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

absl::string_view ViewOf(beast::string_view text) {
  return {text.data(), text.size()};
}

bool IsNumber(absl::string_view text) {
  // More digits than any length within the bounds. 19 digits fit in 64 bits.
  constexpr size_t kMaxDigits = 19;
  if (text.empty() || text.size() > kMaxDigits) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// The bytes of a head that need no look at their neighbours.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain = {};
  for (size_t c = 0x21; c < plain.size(); ++c) plain[c] = c != 0x7f;
  return plain;
}();

bool IsPlain(char c) { return kPlain[static_cast<unsigned char>(c)]; }

// "http://host/path" becomes "/path": the form for proxies names the host too.
absl::string_view WithoutOrigin(absl::string_view target) {
  for (const absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    const size_t path = target.find_first_of("/?");
    if (path == target.npos) return "/";
    return target.substr(path);
  }
  return target;
}

// True if the request line ends with a version, but not of HTTP/1.
bool IsOtherVersion(absl::string_view head) {
  absl::string_view version = head.substr(0, head.find('\r'));
  version.remove_prefix(std::min(version.rfind(' '), version.size() - 1) + 1);
  const auto is_digit = [&](size_t i) {
    return absl::ascii_isdigit(static_cast<unsigned char>(version[i]));
  };
  return version.size() == 8 && absl::StartsWith(version, "HTTP/") &&
         version != "HTTP/1.0" && version != "HTTP/1.1" && is_digit(5) &&
         version[6] == '.' && is_digit(7);
}

HttpRefusal RefusalOf(http::error error) {
  switch (error) {
    case http::error::body_limit:
      return {413, "the body is too large"};
    case http::error::header_limit:
      return {431, "the head is too large"};
    case http::error::bad_method:
    case http::error::bad_target:
    case http::error::bad_version:
      return {400, "a bad request line"};
    case http::error::bad_content_length:
      return {400, "a bad Content-Length"};
    case http::error::bad_transfer_encoding:
      return {400, "a bad Transfer-Encoding"};
    case http::error::bad_chunk:
    case http::error::bad_chunk_extension:
      return {400, "a bad chunk"};
    default:
      return {400, "a bad header"};
  }
}

}  // namespace

// The callbacks of Beast's parser for one request.
class HttpParser::Grammar final : public http::basic_parser<true> {
 public:
  Grammar(std::vector<HttpField>& fields, HttpRequest& request)
      : fields_(fields), request_(request) {
    header_limit(kMaxHttpHeadBytes);
    body_limit(kMaxHttpBodyBytes);
  }

  // Checks that concern the whole head.
  HttpRefusal CheckHead() const {
    if (hosts_ > 1) return {400, "found several Host headers"};
    if (is_1_1_ && hosts_ == 0) return {400, "found no Host header"};
    if (unknown_expectation_) return {417, "an unknown expectation"};
    return {};
  }

  const HttpRefusal& refusal() const { return refusal_; }
  bool is_1_1() const { return is_1_1_; }
  bool expects_continue() const { return expects_continue_; }

  std::string* content = nullptr;  // null: dropped

 private:
  using Error = boost::system::error_code;

  void Refuse(int status, absl::string_view reason, Error& error) {
    refusal_ = {status, reason};
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb, beast::string_view method,
                       beast::string_view target, int version,
                       Error&) override {
    is_1_1_ = version == 11;
    request_.method = ViewOf(method);
    absl::string_view path = WithoutOrigin(ViewOf(target));
    const size_t mark = path.find('?');
    request_.path = path.substr(0, mark);
    request_.query =
        mark == path.npos ? absl::string_view() : path.substr(mark + 1);
  }

  void on_field_impl(http::field field, beast::string_view name,
                     beast::string_view value, Error& error) override {
    if (in_trailers_) return;  // Nothing of a trailer is used.
    if (fields_.size() == kMaxHttpHeaders) {
      Refuse(431, "too many headers", error);
      return;
    }
    fields_.push_back({ViewOf(name), ViewOf(value)});
    switch (field) {
      case http::field::content_length:
        if (has_length_ || !IsNumber(ViewOf(value))) {
          Refuse(400, "a bad Content-Length", error);
        }
        has_length_ = true;
        break;
      case http::field::transfer_encoding:
        if (!is_1_1_ || !absl::EqualsIgnoreCase(ViewOf(value), "chunked")) {
          Refuse(400, "a bad Transfer-Encoding", error);
        }
        break;
      case http::field::host:
        ++hosts_;
        break;
      case http::field::expect:
        if (absl::EqualsIgnoreCase(ViewOf(value), "100-continue")) {
          expects_continue_ = is_1_1_;
        } else {
          unknown_expectation_ = true;
        }
        break;
      default:
        break;
    }
  }

  void on_header_impl(Error&) override { in_trailers_ = true; }

  size_t on_body_impl(beast::string_view body, Error&) override {
    if (content != nullptr) content->append(body.data(), body.size());
    return body.size();
  }
  size_t on_chunk_body_impl(uint64_t, beast::string_view body,
                            Error& error) override {
    return on_body_impl(body, error);
  }

  void on_response_impl(int, beast::string_view, int, Error&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}
  void on_chunk_header_impl(uint64_t, beast::string_view, Error&) override {}
  void on_finish_impl(Error&) override {}

  std::vector<HttpField>& fields_;
  HttpRequest& request_;
  HttpRefusal refusal_;
  int hosts_ = 0;
  bool is_1_1_ = false;
  bool has_length_ = false;
  bool expects_continue_ = false;
  bool unknown_expectation_ = false;
  bool in_trailers_ = false;
};

struct HttpParser::State {
  std::vector<HttpField> fields;
  std::optional<Grammar> grammar;
};

HttpParser::HttpParser() : state_(std::make_unique<State>()) {}

HttpParser::~HttpParser() = default;

HttpParser::Found HttpParser::Refuse(int status, absl::string_view reason) {
  refusal_ = {status, reason};
  return Found::kRefused;
}

HttpParser::Found HttpParser::ReadHead(absl::string_view bytes) {
  // RFC 9112, section 2.2: one empty line may precede a request.
  constexpr absl::string_view kEmptyLine = "\r\n";
  if (lead_bytes_ == 0 && absl::StartsWith(bytes, kEmptyLine)) {
    lead_bytes_ = kEmptyLine.size();
    scanned_ = 0;  // the CR may have come alone
  }
  if (bytes == kEmptyLine.substr(0, 1)) return Found::kPart;
  if (bytes.size() <= lead_bytes_) return Found::kPart;
  bytes.remove_prefix(lead_bytes_);
  const Found found = ScanHead(bytes.substr(0, kMaxHttpHeadBytes));
  if (found == Found::kPart && bytes.size() >= kMaxHttpHeadBytes) {
    return Refuse(431, "the head is too large");
  }
  if (found != Found::kWhole) return found;
  head_bytes_ = lead_bytes_ + scanned_;
  return ParseHead(bytes.substr(0, scanned_));
}

// Sets scanned_ to the end of the head, if it is in `bytes`.
HttpParser::Found HttpParser::ScanHead(absl::string_view bytes) {
  for (size_t i = scanned_; i < bytes.size(); ++i) {
    const char before = i == 0 ? '\n' : bytes[i - 1];
    if (before == '\r' ? bytes[i] != '\n' : bytes[i] == '\n') {
      return Refuse(400, "a line does not end with CR LF");
    }
    if (bytes[i] == '\n') {
      if (i == 1) return Refuse(400, "an empty request line");
      if (bytes[i - 2] != '\n') continue;
      scanned_ = i + 1;
      return Found::kWhole;
    }
    if (bytes[i] == ' ' || bytes[i] == '\t') {
      if (before == '\n') return Refuse(400, "a line begins with white space");
    } else if (!IsPlain(bytes[i]) && bytes[i] != '\r') {
      return Refuse(400, "a control character");
    }
    while (i + 1 < bytes.size() && IsPlain(bytes[i + 1]) && bytes[i] != '\r') {
      ++i;
    }
  }
  scanned_ = bytes.size();
  return Found::kPart;
}

HttpParser::Found HttpParser::ParseHead(absl::string_view head) {
  head_ = head;
  state_->fields.clear();
  Grammar& grammar = state_->grammar.emplace(state_->fields, request_);
  boost::system::error_code error;
  grammar.put(boost::asio::const_buffer(head.data(), head.size()), error);
  if (error) {
    if (grammar.refusal().status != 0) {
      refusal_ = grammar.refusal();
    } else if (error == http::error::bad_version && IsOtherVersion(head)) {
      refusal_ = {505, "found another version than HTTP/1.1 or HTTP/1.0"};
    } else {
      refusal_ = RefusalOf(static_cast<http::error>(error.value()));
    }
    return Found::kRefused;
  }
  if (!grammar.is_header_done()) return Refuse(400, "a bad head");
  refusal_ = grammar.CheckHead();
  if (refusal_.status != 0) return Found::kRefused;
  request_.fields = state_->fields;
  return Found::kWhole;
}

bool HttpParser::has_body() const { return !state_->grammar->is_done(); }

bool HttpParser::keeps_alive() const {
  // An answer to CONNECT that is not refused begins a tunnel, which this server
  // does not offer.
  return state_->grammar->keep_alive() && request_.method != "CONNECT";
}

bool HttpParser::is_http_1_1() const { return state_->grammar->is_1_1(); }

bool HttpParser::expects_continue() const {
  return state_->grammar->expects_continue();
}

void HttpParser::MoveHead(std::string& memory) {
  memory.assign(head_.data(), head_.size());
  const auto move = [&](absl::string_view& view) {
    // An empty view may point to a constant.
    if (view.empty() || view.data() < head_.data() ||
        view.data() >= head_.data() + head_.size()) {
      return;
    }
    const auto offset = static_cast<size_t>(view.data() - head_.data());
    view = absl::string_view(memory).substr(offset, view.size());
  };
  move(request_.method);
  move(request_.path);
  move(request_.query);
  for (HttpField& field : state_->fields) {
    move(field.name);
    move(field.value);
  }
  head_ = memory;
}

HttpParser::Found HttpParser::ReadBody(absl::string_view bytes,
                                       std::string* content, size_t& taken) {
  taken = 0;
  if (bytes.empty()) return Found::kPart;
  Grammar& grammar = *state_->grammar;
  // Beast asserts that it never sees a part of the last chunk, "0\r\n\r\n", for
  // a second time.
  constexpr absl::string_view kZero = "0\r\n";
  constexpr size_t kLastChunkBytes = 5;
  if (grammar.chunked() && bytes.size() < kLastChunkBytes &&
      absl::StartsWith(bytes, kZero)) {
    return Found::kPart;
  }
  grammar.eager(true);
  grammar.content = content;
  boost::system::error_code error;
  taken =
      grammar.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  body_wire_bytes_ += taken;
  if (error && error != http::error::need_more) {
    refusal_ = RefusalOf(static_cast<http::error>(error.value()));
    return Found::kRefused;
  }
  if (grammar.is_done()) return Found::kWhole;
  if (body_wire_bytes_ > kMaxHttpBodyWireBytes) {
    return Refuse(413, "too many bytes of chunks");
  }
  if (bytes.size() - taken > kMaxHttpChunkLineBytes) {
    return Refuse(400, "the line of a chunk or the trailers are too large");
  }
  return Found::kPart;
}

void HttpParser::Reset() {
  constexpr size_t kUsualFields = 32;
  state_->fields.clear();
  // Frees the memory of an unusual request: connections are often idle.
  if (state_->fields.capacity() > kUsualFields) state_->fields.shrink_to_fit();
  request_ = {};
  head_ = {};
  lead_bytes_ = scanned_ = head_bytes_ = body_wire_bytes_ = 0;
}

}  // namespace rls
