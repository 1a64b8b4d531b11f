#include "statsd/statsd_sender.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/socket.h"
#include "net/stream.h"

namespace rls {
namespace {

constexpr SteadyDuration kFirstBackoff = std::chrono::seconds(1);
constexpr SteadyDuration kMaxBackoff = std::chrono::seconds(30);
// A connection attempt is given up after this time.
constexpr SteadyDuration kConnectTime = std::chrono::seconds(10);
constexpr size_t kMaxUnsentBytes = 4 << 20;
// The payload of one datagram, which fits into a packet of Ethernet.
constexpr size_t kDatagramBytes = 1432;

// One way to the server. All methods run on the loop.
class Transport {
 public:
  virtual ~Transport() = default;
  // False: the server is away or too slow.
  virtual bool IsReady() = 0;
  virtual void Send(const std::vector<std::string>& lines) = 0;
};

class TcpTransport final : public Transport, private StreamHandler {
 public:
  TcpTransport(EventLoop& loop, Resolver& resolver, const Endpoint& server)
      : loop_(loop),
        resolver_(resolver),
        server_(server),
        timer_(loop.NewTimer([this] { OnTimer(); })) {
    Open();
  }

  bool IsReady() override {
    return is_connected_ && stream_->unsent_bytes() < kMaxUnsentBytes;
  }

  void Send(const std::vector<std::string>& lines) override {
    stream_->Write(absl::StrCat(absl::StrJoin(lines, "\n"), "\n"));
  }

 private:
  void Open() {
    stream_ = Connect({.loop = loop_, .resolver = resolver_}, server_, *this);
    timer_->Set(loop_.Now() + kConnectTime);
  }

  // The time of an attempt or of a backoff is over.
  void OnTimer() {
    if (stream_ == nullptr) {
      Open();
    } else {
      OnClosed(absl::UnavailableError("no answer to the connection"));
    }
  }

  void OnConnected() override {
    is_connected_ = true;
    backoff_ = kFirstBackoff;
    timer_->Cancel();
    if (std::exchange(is_failing_, false)) {
      LogInfo(absl::StrCat("StatsD ", server_.ToString(), ": connected"));
    }
  }

  void OnBytes(absl::string_view) override {}  // StatsD does not answer

  void OnClosed(const absl::Status& why) override {
    if (!std::exchange(is_failing_, true)) {
      LogWarning(
          absl::StrCat("StatsD ", server_.ToString(), ": ", why.message()));
    }
    is_connected_ = false;
    stream_.reset();
    timer_->Set(loop_.Now() + backoff_);
    backoff_ = std::min(2 * backoff_, kMaxBackoff);
  }

  EventLoop& loop_;
  Resolver& resolver_;
  const Endpoint server_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  std::unique_ptr<Stream> stream_;  // null: in a backoff
  bool is_connected_ = false;
  bool is_failing_ = false;  // and a line in the log says so
  SteadyDuration backoff_ = kFirstBackoff;
};

class UdpTransport final : public Transport {
 public:
  UdpTransport(EventLoop& loop, Resolver& resolver, const Endpoint& server)
      : loop_(loop), resolver_(resolver), server_(server) {
    LookUp();
  }

  // Looks the server up again in each interval, because its address may change.
  bool IsReady() override {
    LookUp();
    return socket_.get() >= 0;
  }

  void Send(const std::vector<std::string>& lines) override {
    for (const std::string& packet : PacketsOf(lines, kDatagramBytes)) {
      // A lost datagram is not sent again, as usual for DogStatsD.
      (void)send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    }
  }

 private:
  void LookUp() {
    if (std::exchange(is_looking_up_, true)) return;
    resolver_.Resolve(server_, loop_,
                      [this](const Resolver::Addresses& addresses) {
                        is_looking_up_ = false;
                        OnResolved(addresses);
                      });
  }

  void OnResolved(const Resolver::Addresses& addresses) {
    FileDescriptor made;
    std::string failure(addresses.status().message());
    if (addresses.ok() && !addresses->empty()) {
      // IPv4 first, because "localhost" is often both, and no error would show
      // that the server listens on the other address only.
      const auto ipv4 = std::find_if(
          addresses->begin(), addresses->end(),
          [](const auto& one) { return one.storage.ss_family == AF_INET; });
      const SocketAddress& address =
          ipv4 == addresses->end() ? addresses->front() : *ipv4;
      made =
          FileDescriptor(socket(address.storage.ss_family,
                                SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (connect(made.get(),
                  reinterpret_cast<const sockaddr*>(&address.storage),
                  address.length) != 0) {
        failure = "no datagrams can be sent to its address";
        made = FileDescriptor();
      }
    }
    if (made.get() < 0 && !is_failing_) {
      LogWarning(absl::StrCat("DogStatsD ", server_.ToString(), ": ", failure));
    }
    is_failing_ = made.get() < 0;
    if (!is_failing_) socket_ = std::move(made);
  }

  EventLoop& loop_;
  Resolver& resolver_;
  const Endpoint server_;
  FileDescriptor socket_;
  bool is_looking_up_ = false;
  bool is_failing_ = false;
};

class StatsdSenderImpl final : public StatsdSender {
 public:
  StatsdSenderImpl(const StatsdOptions& options, Metrics& metrics)
      : interval_(absl::ToChronoNanoseconds(options.interval)),
        statistics_(*metrics.statistics()),
        sent_(Flushes(metrics, "sent")),
        failed_(Flushes(metrics, "failed")),
        lines_(options.tags, options.is_dog) {
    thread_[0].Post([this, options] { Begin(options); });
    thread_.Start();
  }

  ~StatsdSenderImpl() override {
    thread_[0].Post([this] {
      Flush();
      timer_.reset();
      transport_.reset();
      resolver_.reset();
    });
    thread_.Stop();
  }

 private:
  static Counter& Flushes(Metrics& metrics, const std::string& result) {
    return metrics.GetCounter(
        {.name = "ratelimitd_statsd_flushes_total",
         .help = "Intervals whose statistics were sent to StatsD, or could not "
                 "be sent and wait for the next interval",
         .labels = {{"result", result}}});
  }

  void Begin(const StatsdOptions& options) {
    EventLoop& loop = thread_[0];
    if (options.is_dog) {
      transport_ =
          std::make_unique<UdpTransport>(loop, *resolver_, options.server);
    } else {
      transport_ =
          std::make_unique<TcpTransport>(loop, *resolver_, options.server);
    }
    timer_ = loop.NewTimer([this] { OnTimer(); });
    timer_->Set(loop.Now() + interval_);
  }

  void OnTimer() {
    Flush();
    timer_->Set(thread_[0].Now() + interval_);
  }

  void Flush() {
    if (!transport_->IsReady()) return failed_.Add(1);
    const std::vector<std::string> lines = lines_.Growth(statistics_.Read());
    if (!lines.empty()) transport_->Send(lines);
    sent_.Add(1);
  }

  const SteadyDuration interval_;
  Statistics& statistics_;
  Counter& sent_;
  Counter& failed_;
  LoopThreads thread_{1};
  // Used on the loop only.
  std::unique_ptr<Resolver> resolver_ = NewResolver();
  StatsdLines lines_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<EventLoop::Timer> timer_;
};

}  // namespace

std::unique_ptr<StatsdSender> NewStatsdSender(const StatsdOptions& options,
                                              Metrics& metrics) {
  return std::make_unique<StatsdSenderImpl>(options, metrics);
}

}  // namespace rls
