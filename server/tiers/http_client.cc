#include "tiers/http_client.h"

#include <curl/curl.h>
#include <fcntl.h>

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "net/file_descriptor.h"
#include "tiers/http_transfer.h"

namespace rls {
namespace {

// Idle connections that are kept for the next calls.
constexpr long kMaxIdleConnections = 64;

// libcurl says which sockets and which time it waits for; the loop tells it
// when they have come (curl_multi_socket_action).
class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(EventLoop& loop)
      : loop_(loop), timer_(loop.NewTimer([this] { TimeOut(); })) {
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &OnSocket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &OnTimer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kMaxIdleConnections);
  }

  ~CurlClient() override {
    // CANCELLED tells who hears it to begin no other.
    for (auto& [easy, transfer] : std::exchange(transfers_, {})) {
      curl_multi_remove_handle(multi_.get(), easy);
      transfer->Finish(absl::CancelledError("the server stops"));
    }
    multi_.reset();  // it still lets go of sockets
  }

  void Get(const HttpGet& get, ReplyCallback done) override {
    auto transfer = std::make_unique<HttpTransfer>(get, std::move(done));
    CURL* const easy = transfer->easy();
    transfers_.emplace(easy, std::move(transfer));
    // It does no more than to set the timer, to now.
    curl_multi_add_handle(multi_.get(), easy);
  }

 private:
  struct CleanUp {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  // A socket of libcurl under a number of our own: libcurl 7.88 closes one that
  // is still connecting before it says that it does not wait for it any more,
  // and the loop takes no descriptor that is closed.
  struct Watched {
    FileDescriptor socket;
    std::unique_ptr<EventLoop::Watch> watch;
  };

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self,
                      void*) {
    static_cast<CurlClient*>(self)->WatchSocket(socket, what);
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    EventLoop& loop = static_cast<CurlClient*>(self)->loop_;
    EventLoop::Timer& timer = *static_cast<CurlClient*>(self)->timer_;
    if (timeout_ms < 0) {
      timer.Cancel();
    } else {
      timer.Set(loop.Now() + std::chrono::milliseconds(timeout_ms));
    }
    return 0;
  }

  void WatchSocket(curl_socket_t socket, int what) {
    if (what == CURL_POLL_REMOVE) {
      watched_.erase(socket);
      return;
    }
    auto it = watched_.find(socket);
    if (it == watched_.end()) {
      FileDescriptor ours(fcntl(socket, F_DUPFD_CLOEXEC, 0));
      // The process has no more of them; the call will time out.
      if (ours.get() < 0) return;
      auto watch =
          loop_.NewWatch(ours.get(), [this, socket](EventLoop::Ready ready) {
            Act(socket, (ready.readable ? CURL_CSELECT_IN : 0) |
                            (ready.writable ? CURL_CSELECT_OUT : 0));
          });
      it = watched_
               .emplace(socket, Watched{.socket = std::move(ours),
                                        .watch = std::move(watch)})
               .first;
    }
    it->second.watch->Want({.readable = (what & CURL_POLL_IN) != 0,
                            .writable = (what & CURL_POLL_OUT) != 0});
  }

  void TimeOut() { Act(CURL_SOCKET_TIMEOUT, 0); }

  void Act(curl_socket_t socket, int events) {
    int running = 0;
    curl_multi_socket_action(multi_.get(), socket, events, &running);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Finish(message->easy_handle, message->data.result);
    }
  }

  void Finish(CURL* easy, CURLcode result) {
    auto node = transfers_.extract(easy);
    curl_multi_remove_handle(multi_.get(), easy);
    HttpTransfer& transfer = *node.mapped();
    transfer.Finish(transfer.Result(result));
  }

  EventLoop& loop_;
  const CurlLibrary library_;
  absl::flat_hash_map<curl_socket_t, Watched> watched_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  absl::flat_hash_map<CURL*, std::unique_ptr<HttpTransfer>> transfers_;
  std::unique_ptr<CURLM, CleanUp> multi_{curl_multi_init()};
};

}  // namespace

std::unique_ptr<HttpClient> NewHttpClient(EventLoop& loop) {
  return std::make_unique<CurlClient>(loop);
}

}  // namespace rls
