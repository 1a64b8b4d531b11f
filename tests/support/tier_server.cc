#include "support/tier_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace rls {
namespace {

constexpr size_t kThreads = 40;  // more than the held requests of any test
constexpr char kPath[] = "/user-tier/";

std::unique_ptr<httplib::Server> NewServer(const TierServer::Tls& tls) {
  if (tls.certificate.empty()) return std::make_unique<httplib::Server>();
  return std::make_unique<httplib::SSLServer>(tls.certificate.c_str(),
                                              tls.key.c_str());
}

}  // namespace

class TierServer::Impl {
 public:
  Impl(Answer answer, const Tls& tls)
      : has_tls_(!tls.certificate.empty()),
        server_(NewServer(tls)),
        answer_(std::move(answer)) {
    server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_->set_tcp_nodelay(true);
    // Short, because stop() waits for idle connections.
    server_->set_keep_alive_timeout(1);
    server_->Get(".*", [this](const httplib::Request& request,
                              httplib::Response& response) {
      Serve(request, response);
    });
    port_ = server_->bind_to_any_port("127.0.0.1");
    EXPECT_GT(port_, 0);
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }

  ~Impl() {
    SetHeld(false);
    server_->stop();
    thread_.join();
  }

  int port() const { return port_; }
  bool has_tls() const { return has_tls_; }

  void SetAnswer(Answer answer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    answer_ = std::move(answer);
  }

  void SetHeld(bool held) {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }

  std::vector<Request> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

  int most_at_once() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return most_at_once_;
  }

 private:
  void Serve(const httplib::Request& request, httplib::Response& response) {
    Request seen{.target = request.target,
                 .authorization = request.get_header_value("Authorization")};
    if (request.path.rfind(kPath, 0) == 0) {
      seen.user = request.path.substr(sizeof(kPath) - 1);
    }
    std::unique_lock<std::mutex> lock(mutex_);
    requests_.push_back(seen);
    most_at_once_ = std::max(most_at_once_, ++at_once_);
    changed_.wait(lock, [this] { return !held_; });
    --at_once_;
    const Answer answer = answer_;
    lock.unlock();
    const Response made = answer(seen);
    response.status = made.status;
    response.set_content(made.body, "application/json");
    for (const auto& [name, value] : made.headers) {
      response.set_header(name.c_str(), value);
    }
  }

  const bool has_tls_;
  const std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  bool held_ = false;
  std::vector<Request> requests_;
  int at_once_ = 0;
  int most_at_once_ = 0;
};

TierServer::TierServer(Answer answer, const Tls& tls)
    : impl_(std::make_unique<Impl>(std::move(answer), tls)) {}

TierServer::~TierServer() = default;

int TierServer::port() const { return impl_->port(); }

void TierServer::SetAnswer(Answer answer) {
  impl_->SetAnswer(std::move(answer));
}

void TierServer::Hold() { impl_->SetHeld(true); }

void TierServer::Release() { impl_->SetHeld(false); }

std::vector<TierServer::Request> TierServer::requests() const {
  return impl_->requests();
}

int TierServer::most_at_once() const { return impl_->most_at_once(); }

std::string TierServer::url(const std::string& host) const {
  return (impl_->has_tls() ? "https://" : "http://") + host + ":" +
         std::to_string(port()) + kPath + "{user_id}";
}

}  // namespace rls
