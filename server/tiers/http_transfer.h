#ifndef RLS_TIERS_HTTP_TRANSFER_H_
#define RLS_TIERS_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tiers/http_client.h"

namespace rls {

// libcurl, ready for use as long as one of these lives.
class CurlLibrary {
 public:
  CurlLibrary() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlLibrary() { curl_global_cleanup(); }
  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
};

// One GET on its way: the handle of libcurl and what has come of the reply.
class HttpTransfer {
 public:
  HttpTransfer(const HttpGet& get, HttpClient::ReplyCallback done);
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  CURL* easy() const { return easy_.get(); }

  // What it came to, once libcurl has said that it is over.
  absl::StatusOr<HttpReply> Result(CURLcode code);

  void Finish(absl::StatusOr<HttpReply> reply) { done_(std::move(reply)); }

 private:
  struct CleanUp {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void SetOptions(const HttpGet& get);
  static size_t OnHead(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);

  HttpClient::ReplyCallback done_;
  std::unique_ptr<curl_slist, CleanUp> headers_;
  size_t head_bytes_ = 0;
  std::string body_;
  bool is_too_large_ = false;
  // Last: it may look at the above until it is gone.
  std::unique_ptr<CURL, CleanUp> easy_{curl_easy_init()};
};

}  // namespace rls

#endif  // RLS_TIERS_HTTP_TRANSFER_H_
