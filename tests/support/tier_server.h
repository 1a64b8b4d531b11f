#ifndef RLS_TESTS_SUPPORT_TIER_SERVER_H_
#define RLS_TESTS_SUPPORT_TIER_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rls {

// The other side of `user_tier_source`: a real HTTP server on a free port of
// 127.0.0.1, which answers what the test tells it.
//
// Threads: every method may be called by many threads at once.
class TierServer {
 public:
  struct Request {
    std::string target;  // path and query as they came, still encoded
    std::string user;    // what comes after /user-tier/, decoded
    std::string authorization;
  };
  struct Reply {
    int status = 200;
    std::string body;
    std::map<std::string, std::string> headers = {};
  };
  using Answer = std::function<Reply(const Request&)>;

  // PEM files of a certificate and its key; with them it speaks HTTPS.
  struct Tls {
    std::string certificate;
    std::string key;
  };

  explicit TierServer(Answer answer, const Tls& tls = {});
  ~TierServer();  // releases what is held
  TierServer(const TierServer&) = delete;
  TierServer& operator=(const TierServer&) = delete;

  int port() const;
  // "http://127.0.0.1:PORT/user-tier/{user_id}", or https.
  std::string url(const std::string& host = "127.0.0.1") const;

  void SetAnswer(Answer answer);

  // While held, requests arrive and wait for their answers.
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
