#include "tiers/http_transfer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

// "Failed to connect" and the like; never the text that names the host or URL.
std::string ReasonOf(CURLcode code) { return curl_easy_strerror(code); }

}  // namespace

HttpTransfer::HttpTransfer(const HttpGet& get, HttpClient::ReplyCallback done)
    : done_(std::move(done)) {
  for (const std::string& header :
       {std::string("Accept: application/json, text/plain"), get.header}) {
    if (header.empty()) continue;
    // It gives the list that it was given, but for the first time.
    curl_slist* const list =
        curl_slist_append(headers_.release(), header.c_str());
    headers_.reset(list);
  }
  SetOptions(get);
}

void HttpTransfer::SetOptions(const HttpGet& get) {
  CURL* const easy = easy_.get();
  Set(easy, CURLOPT_URL, get.url.c_str());
  Set(easy, CURLOPT_PATH_AS_IS, 1L);
  Set(easy, CURLOPT_HTTPHEADER, headers_.get());
  Set(easy, CURLOPT_USERAGENT, "ratelimitd");

  Set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_PROXY, "");
  Set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  Set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!get.ca_file.empty()) {
    Set(easy, CURLOPT_CAINFO, get.ca_file.c_str());
    // The system's folder would be trusted beside it.
    Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }

  const auto timeout_ms =
      std::max<long>(1, absl::ToInt64Milliseconds(get.timeout));
  Set(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  // Else a call that times out while its host is looked up would hold up the
  // loop until the look-up's thread is done.
  Set(easy, CURLOPT_QUICK_EXIT, 1L);

  Set(easy, CURLOPT_HEADERFUNCTION, &OnHead);
  Set(easy, CURLOPT_HEADERDATA, this);
  Set(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  Set(easy, CURLOPT_WRITEDATA, this);
}

size_t HttpTransfer::OnHead(char*, size_t size, size_t count, void* self) {
  HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
  transfer.head_bytes_ += size * count;
  transfer.is_too_large_ = transfer.head_bytes_ > kMaxReplyBytes;
  return transfer.is_too_large_ ? 0 : size * count;
}

// To take less than all ends the transfer.
size_t HttpTransfer::OnBody(char* bytes, size_t size, size_t count,
                            void* self) {
  HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
  const size_t length = size * count;
  if (length > kMaxReplyBytes - transfer.body_.size()) {
    transfer.is_too_large_ = true;
    return 0;
  }
  transfer.body_.append(bytes, length);
  return length;
}

absl::StatusOr<HttpReply> HttpTransfer::Result(CURLcode code) {
  if (is_too_large_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a reply of more than ", kMaxReplyBytes, " bytes"));
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return absl::DeadlineExceededError("no reply in time");
  }
  if (code != CURLE_OK) return absl::UnavailableError(ReasonOf(code));
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return HttpReply{.status = static_cast<int>(status),
                   .body = std::move(body_)};
}

}  // namespace rls
