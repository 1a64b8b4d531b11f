#ifndef RLS_TESTS_SUPPORT_TIER_SERVER_H_
#define RLS_TESTS_SUPPORT_TIER_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rls {

// The server of a `user_tier_source`: a real HTTP server on a free port of
// 127.0.0.1. The test sets its answers.
//
// Threads: every method may be called by many threads at once.
class TierServer {
 public:
  struct Request {
    std::string target;  // path and query as received, still encoded
    std::string user;    // the path after /user-tier/, decoded
    std::string authorization;
  };
  struct Response {
    int status = 200;
    std::string body;
    std::map<std::string, std::string> headers = {};
  };
  using Answer = std::function<Response(const Request&)>;

  // PEM files of a certificate and its key. With them the server speaks HTTPS.
  struct Tls {
    std::string certificate;
    std::string key;
  };

  explicit TierServer(Answer answer, const Tls& tls = {});
  ~TierServer();  // releases held requests
  TierServer(const TierServer&) = delete;
  TierServer& operator=(const TierServer&) = delete;

  int port() const;
  // "http://127.0.0.1:PORT/user-tier/{user_id}", or https with a certificate.
  std::string url(const std::string& host = "127.0.0.1") const;

  void SetAnswer(Answer answer);

  // Between Hold() and Release(), requests arrive but get no answer.
  void Hold();
  void Release();

  std::vector<Request> requests() const;
  size_t count() const { return requests().size(); }
  int most_at_once() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_TIER_SERVER_H_
