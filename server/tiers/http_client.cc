#include "tiers/http_client.h"

#include <curl/curl.h>
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "net/socket.h"

namespace rls {
namespace {

// Idle connections that are kept for later requests.
constexpr long kMaxIdleConnections = 64;

// libcurl is initialised while at least one CurlLibrary lives.
class CurlLibrary {
 public:
  CurlLibrary() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlLibrary() { curl_global_cleanup(); }
  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
};

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

// One GET under way: libcurl's handle and the response received so far.
class HttpTransfer {
 public:
  HttpTransfer(const HttpGet& get, HttpClient::ResponseCallback done)
      : done_(std::move(done)) {
    AddHeader("Accept: application/json, text/plain");
    if (!get.header.empty()) AddHeader(get.header);
    SetOptions(get);
  }
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  CURL* easy() const { return easy_.get(); }

  // The response or the failure, once libcurl has ended the transfer.
  absl::StatusOr<HttpResponse> Result(CURLcode code) {
    if (is_too_large_) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "a response of more than ", kMaxResponseBytes, " bytes"));
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return absl::DeadlineExceededError("no response in time");
    }
    if (code != CURLE_OK) {
      // "Failed to connect" and the like. libcurl's longer texts would name
      // the host or the URL.
      return absl::UnavailableError(curl_easy_strerror(code));
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    return HttpResponse{.status = static_cast<int>(status),
                        .body = std::move(body_)};
  }

  void Finish(absl::StatusOr<HttpResponse> response) {
    done_(std::move(response));
  }

 private:
  struct CleanUp {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void AddHeader(const std::string& header) {
    curl_slist* const list =
        curl_slist_append(headers_.release(), header.c_str());
    headers_.reset(list);
  }

  void SetOptions(const HttpGet& get) {
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
      // Without this, libcurl also trusts the system's folder of authorities.
      Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }

    const auto timeout_ms =
        std::max<long>(1, absl::ToInt64Milliseconds(get.timeout));
    Set(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    Set(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    Set(easy, CURLOPT_NOSIGNAL, 1L);
    // Without this, a transfer that times out during its host lookup blocks
    // the loop until the thread of the lookup ends.
    Set(easy, CURLOPT_QUICK_EXIT, 1L);

    Set(easy, CURLOPT_HEADERFUNCTION, &OnHead);
    Set(easy, CURLOPT_HEADERDATA, this);
    Set(easy, CURLOPT_WRITEFUNCTION, &OnBody);
    Set(easy, CURLOPT_WRITEDATA, this);
  }

  // libcurl ends the transfer if these take fewer bytes than they are given.
  static size_t OnHead(char*, size_t size, size_t count, void* self) {
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    transfer.head_bytes_ += size * count;
    transfer.is_too_large_ = transfer.head_bytes_ > kMaxResponseBytes;
    return transfer.is_too_large_ ? 0 : size * count;
  }
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self) {
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    const size_t length = size * count;
    if (length > kMaxResponseBytes - transfer.body_.size()) {
      transfer.is_too_large_ = true;
      return 0;
    }
    transfer.body_.append(bytes, length);
    return length;
  }

  HttpClient::ResponseCallback done_;
  std::unique_ptr<curl_slist, CleanUp> headers_;
  size_t head_bytes_ = 0;
  std::string body_;
  bool is_too_large_ = false;
  // Last, and so destroyed first: libcurl may read the members above until its
  // handle is gone.
  std::unique_ptr<CURL, CleanUp> easy_{curl_easy_init()};
};

// libcurl names the sockets and the time to wait for. The loop waits, and
// reports each event with curl_multi_socket_action().
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
    // CANCELLED forbids the callbacks to begin another request.
    for (auto& [easy, transfer] : std::exchange(transfers_, {})) {
      curl_multi_remove_handle(multi_.get(), easy);
      transfer->Finish(absl::CancelledError("the server stops"));
    }
    multi_.reset();  // calls OnSocket() for the sockets that are still open
  }

  void Get(const HttpGet& get, ResponseCallback done) override {
    auto transfer = std::make_unique<HttpTransfer>(get, std::move(done));
    CURL* const easy = transfer->easy();
    transfers_.emplace(easy, std::move(transfer));
    // Only sets the timer, to now.
    curl_multi_add_handle(multi_.get(), easy);
  }

 private:
  struct CleanUp {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  // A socket of libcurl, duplicated to a descriptor of our own: libcurl 7.88
  // closes a socket that is still connecting before it ends the watch, but the
  // loop requires an open descriptor until then.
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
      // The process has no descriptor left. The request will time out.
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

  void Finish(CURL* easy, CURLcode code) {
    auto node = transfers_.extract(easy);
    curl_multi_remove_handle(multi_.get(), easy);
    HttpTransfer& transfer = *node.mapped();
    transfer.Finish(transfer.Result(code));
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
