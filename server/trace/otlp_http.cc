#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "trace/span_exporter.h"

namespace rls {
namespace {

constexpr size_t kMaxResponseBytes = size_t{64} << 10;
// libcurl has no bound for trailers.
constexpr size_t kMaxHeaderBytes = size_t{64} << 10;
constexpr int kPollMs = 1000;

// libcurl is initialised while at least one CurlLibrary lives.
class CurlLibrary {
 public:
  CurlLibrary() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlLibrary() { curl_global_cleanup(); }
  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
};

// libcurl would only find a missing file when it sends.
absl::Status CheckFiles(const OtlpOptions& options) {
  if (!absl::StartsWith(options.endpoint, "https://")) return absl::OkStatus();
  for (const std::string* path :
       {&options.ca_file, &options.certificate_file, &options.key_file}) {
    if (path->empty()) continue;
    if (const auto text = ReadFile(*path, kMaxPemBytes); !text.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("traces: ", text.status().message()));
    }
  }
  return absl::OkStatus();
}

// The statuses after which OTLP allows another attempt.
bool IsRetryable(long status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

class HttpExporter final : public SpanExporter {
 public:
  explicit HttpExporter(const OtlpOptions& options) : options_(options) {
    AddHeader("Content-Type: application/x-protobuf");
    AddHeader("Expect:");  // no wait for "100 Continue"
    for (const auto& [name, value] : options_.headers) {
      AddHeader(absl::StrCat(name, ": ", value));
    }
    SetTarget();
    SetTls();
  }

  absl::StatusOr<int64_t> Export(const OtlpRequest& request) override {
    const std::string body = request.SerializeAsString();
    Set(CURLOPT_POSTFIELDS, body.data());
    Set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    response_.clear();
    header_bytes_ = 0;
    curl_multi_add_handle(multi_.get(), easy_.get());
    const absl::Status done = Perform();
    curl_multi_remove_handle(multi_.get(), easy_.get());
    if (!done.ok()) return done;
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2) return Rejected();
    const std::string text = absl::StrCat("the collector answered ", status);
    if (IsRetryable(status)) return absl::UnavailableError(text);
    return absl::InternalError(text);
  }

  void Cancel() override {
    is_cancelled_ = true;
    curl_multi_wakeup(multi_.get());
  }

 private:
  struct CleanUp {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  struct CleanUpMulti {  // the type of both handles is void
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  template <typename Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  void AddHeader(const std::string& header) {
    headers_.reset(curl_slist_append(headers_.release(), header.c_str()));
  }

  void SetTarget() {
    Set(CURLOPT_URL, options_.endpoint.c_str());
    Set(CURLOPT_HTTPHEADER, headers_.get());
    Set(CURLOPT_USERAGENT, "ratelimitd");
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_QUICK_EXIT, 1L);
    Set(CURLOPT_TIMEOUT_MS,
        std::max<long>(1, absl::ToInt64Milliseconds(options_.timeout)));
    Set(CURLOPT_WRITEFUNCTION, &OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &OnHeader);
    Set(CURLOPT_HEADERDATA, this);
  }

  void SetTls() {
    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 2L);
    Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options_.ca_file.empty()) {
      Set(CURLOPT_CAINFO, options_.ca_file.c_str());
      // Without this, libcurl also trusts the system's folder of authorities.
      Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    if (!options_.certificate_file.empty()) {
      Set(CURLOPT_SSLCERT, options_.certificate_file.c_str());
      Set(CURLOPT_SSLKEY, options_.key_file.c_str());
    }
  }

  absl::Status Perform() {
    int running = 1;
    while (running > 0) {
      if (is_cancelled_) return absl::CancelledError("the server stops");
      curl_multi_perform(multi_.get(), &running);
      if (running > 0) {
        curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
      }
    }
    int left = 0;
    const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left);
    if (message != nullptr && message->msg == CURLMSG_DONE &&
        message->data.result == CURLE_OK) {
      return absl::OkStatus();
    }
    // libcurl's longer texts would name the URL, which may have a password.
    return absl::UnavailableError(
        message == nullptr ? "no response"
                           : curl_easy_strerror(message->data.result));
  }

  int64_t Rejected() const {
    OtlpResponse response;
    // Another text, such as JSON: the collector says nothing of rejected spans.
    if (!response.ParseFromString(response_)) return 0;
    return response.partial_success().rejected_spans();
  }

  // The rest of a larger response is dropped.
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self) {
    std::string& response = static_cast<HttpExporter*>(self)->response_;
    const size_t length = size * count;
    response.append(bytes,
                    std::min(length, kMaxResponseBytes - response.size()));
    return length;
  }

  // Headers and trailers. Another result than the length ends the transfer.
  static size_t OnHeader(char*, size_t size, size_t count, void* self) {
    size_t& bytes = static_cast<HttpExporter*>(self)->header_bytes_;
    const size_t length = size * count;
    bytes += length;
    return bytes <= kMaxHeaderBytes ? length : 0;
  }

  const OtlpOptions options_;
  const CurlLibrary library_;
  std::atomic<bool> is_cancelled_{false};
  std::string response_;
  size_t header_bytes_ = 0;
  std::unique_ptr<curl_slist, CleanUp> headers_;
  const std::unique_ptr<CURL, CleanUp> easy_{curl_easy_init()};
  const std::unique_ptr<CURLM, CleanUpMulti> multi_{curl_multi_init()};
};

}  // namespace

absl::StatusOr<std::unique_ptr<SpanExporter>> NewHttpExporter(
    const OtlpOptions& options) {
  if (absl::Status checked = CheckFiles(options); !checked.ok()) return checked;
  return std::make_unique<HttpExporter>(options);
}

}  // namespace rls
