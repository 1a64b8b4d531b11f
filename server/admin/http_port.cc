#include "admin/http_port.h"

#include <sys/socket.h>

#include <deque>
#include <functional>
#include <semaphore>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace rls {
namespace {

constexpr size_t kMaxBodyBytes = 1 << 20;
// A gateway keeps some connections for each of its workers, and each takes a
// thread here as long as it is open.
constexpr size_t kMaxConnections = 512;
constexpr size_t kMaxRequestsOfAConnection = 1000;
constexpr time_t kIoTimeoutSeconds = 5;

// Void, or in later versions of the library whether there is room.
using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(
    std::function<void()>()));

// A thread for each connection that is served. They are kept: as many as there
// ever were connections at once.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  Enqueued enqueue(std::function<void()> serve) override {
    {
      MutexLock lock(&mutex_);
      waiting_.push_back(std::move(serve));
      if (waiting_.size() > idle_ && threads_.size() < kMaxConnections) {
        AddThread();
      }
    }
    changed_.release();
    return static_cast<Enqueued>(true);
  }

  void shutdown() override {
    std::vector<std::thread> threads;
    {
      MutexLock lock(&mutex_);
      threads.swap(threads_);
    }
    changed_.release(static_cast<std::ptrdiff_t>(threads.size()));
    for (std::thread& thread : threads) thread.join();
  }

 private:
  void AddThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    try {
      threads_.emplace_back([this] { Work(); });
      ++idle_;
    } catch (const std::system_error&) {
      // The system gives no more: this one waits for a thread that there is.
    }
  }

  void Work() {
    while (true) {
      changed_.acquire();
      std::function<void()> serve;
      {
        MutexLock lock(&mutex_);
        if (waiting_.empty()) return;  // shutdown
        serve = std::move(waiting_.front());
        waiting_.pop_front();
        --idle_;
      }
      serve();
      MutexLock lock(&mutex_);
      ++idle_;
    }
  }

  Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  // One for each connection that waits, and at the end one for each thread.
  std::counting_semaphore<> changed_{0};
};

}  // namespace

HttpPort::HttpPort() {
  server_.new_task_queue = [] { return new ConnectionThreads(); };
  server_.set_payload_max_length(kMaxBodyBytes);
  server_.set_read_timeout(kIoTimeoutSeconds);
  server_.set_write_timeout(kIoTimeoutSeconds);
  server_.set_keep_alive_max_count(kMaxRequestsOfAConnection);
  server_.set_keep_alive_timeout(kIoTimeoutSeconds);
  // The head and the body of an answer are two packets: without this the
  // second one waits for the first one's acknowledgement.
  server_.set_tcp_nodelay(true);
  // Without SO_REUSEPORT, which the library sets: a second server on a taken
  // port must fail, not share it silently.
  server_.set_socket_options([this](auto socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    listener_ = socket;
  });
}

HttpPort::~HttpPort() {
  server_.stop();
  if (thread_.joinable()) thread_.join();
}

absl::Status HttpPort::Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  int port = 0;
  const bool has_port = colon != std::string::npos &&
                        absl::SimpleAtoi(address.substr(colon + 1), &port);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  int bound = has_port ? Bind(host, port) : -1;
  // A machine without IPv6 can still serve everybody it has.
  if (bound <= 0 && host == "::") bound = Bind("0.0.0.0", port);
  if (bound <= 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen for HTTP on ", address));
  }
  // The library lets five connections wait; of more that come at once, each
  // would be a second late.
  (void)::listen(listener_, SOMAXCONN);
  address_ = absl::StrCat(address.substr(0, colon), ":", bound);
  thread_ = std::thread([this] { server_.listen_after_bind(); });
  // A stop() before the loop has begun would be lost.
  while (!server_.is_running()) std::this_thread::yield();
  return absl::OkStatus();
}

// The port that was taken, or less than 1.
int HttpPort::Bind(const std::string& host, int port) {
  if (port == 0) return server_.bind_to_any_port(host);
  return server_.bind_to_port(host, port) ? port : -1;
}

Body BodyOf(const httplib::Request& request) {
  const bool is_chunked = request.has_header("Transfer-Encoding");
  const size_t lengths = request.get_header_value_count("Content-Length");
  if (!is_chunked && lengths == 0) return Body::kNone;
  uint64_t bytes = 0;
  if (is_chunked || lengths > 1 ||
      !absl::SimpleAtoi(request.get_header_value("Content-Length"), &bytes)) {
    return Body::kUnsafe;
  }
  if (bytes == 0) return Body::kNone;
  const bool is_read = request.method == "POST" || request.method == "PUT" ||
                       request.method == "PATCH" || request.method == "DELETE";
  const bool is_packed =
      request.has_header("Content-Encoding") ||
      absl::StartsWithIgnoreCase(request.get_header_value("Content-Type"),
                                 "multipart/");
  return is_read && !is_packed && bytes <= kMaxBodyBytes ? Body::kRead
                                                         : Body::kUnsafe;
}

void RefuseAndClose(httplib::Response& response) {
  response.status = 400;
  response.set_header("Connection", "close");
  // A body that fails makes the library end the connection.
  response.set_content_provider(
      "text/plain; charset=utf-8", [](size_t, httplib::DataSink& sink) {
        constexpr absl::string_view kReason =
            "send the sub-request without the client's body\n";
        sink.write(kReason.data(), kReason.size());
        return false;
      });
}

}  // namespace rls
