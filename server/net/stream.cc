#include "net/stream.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "net/connector.h"
#include "net/socket.h"
#include "net/tls_session.h"

namespace rls {
namespace {

// Also the maximum that one stream reads before other streams get their turn.
using ReadBuffer = std::array<char, 64 << 10>;

// One buffer for all streams of a thread: the handler consumes the bytes before
// the next read.
absl::Span<char> SharedReadBuffer() {
  thread_local const auto buffer = std::make_unique<ReadBuffer>();
  return absl::MakeSpan(*buffer);
}

class SocketStream final : public Stream {
 public:
  SocketStream(const StreamDependencies& parts, const Endpoint& endpoint,
               StreamHandler& handler)
      : parts_(parts), endpoint_(endpoint), handler_(handler) {
    connector_.emplace(parts_.loop, parts_.resolver, endpoint_,
                       [this](auto socket) { OnSocket(std::move(socket)); });
  }

  ~SocketStream() override {
    *self_ = nullptr;
    if (phase_ != Phase::kOpen || !tls_ || !unsent_.empty()) return;
    tls_->Close();
    const absl::string_view goodbye = tls_->output();
    send(socket_.get(), goodbye.data(), goodbye.size(), MSG_NOSIGNAL);
  }

  void Write(absl::string_view bytes) override {
    if (phase_ == Phase::kConnecting) kept_.append(bytes.data(), bytes.size());
    if (phase_ != Phase::kOpen || bytes.empty()) return;
    if (!tls_) {
      Send(bytes);
      return;
    }
    const absl::Status written = tls_->Write(bytes);
    SendTlsOutput();
    if (!written.ok()) EndLater(Unavailable(written.message()));
  }

  size_t unsent_bytes() const override { return kept_.size() + unsent_.size(); }

 private:
  enum class Phase { kConnecting, kOpen, kEnding, kClosed };

  void OnSocket(absl::StatusOr<FileDescriptor> socket) {
    connector_.reset();
    if (!socket.ok()) {
      Close(socket.status());
      return;
    }
    socket_ = *std::move(socket);
    watch_ = parts_.loop.NewWatch(socket_.get(),
                                  [this](auto ready) { OnReady(ready); });
    watch_->Want({.readable = true});
    if (parts_.tls == nullptr) {
      Open();
      return;
    }
    auto session = NewTlsSession(*parts_.tls, endpoint_.host);
    if (!session.ok()) {
      Close(Unavailable(session.status().message()));
      return;
    }
    tls_ = *std::move(session);
    ReceiveTls({});
  }

  void Open() {
    phase_ = Phase::kOpen;
    connected_ = true;
    const std::string kept = std::exchange(kept_, std::string());
    Write(kept);
    handler_.OnConnected();
  }

  void OnReady(EventLoop::Ready ready) {
    if (ready.writable && !unsent_.empty()) SendUnsent();
    if (ready.readable) Read();
  }

  // A method must return after Read(): the handler may destroy the stream.
  void Read() {
    const absl::Span<char> buffer = SharedReadBuffer();
    const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0) {
      if (!IsTransient(errno)) Close(Unavailable(errno));
      return;
    }
    if (count == 0) {
      Close(Unavailable("closed by the peer"));
      return;
    }
    const absl::string_view bytes(buffer.data(), static_cast<size_t>(count));
    if (tls_) {
      ReceiveTls(bytes);
    } else {
      handler_.OnBytes(bytes);
    }
  }

  void ReceiveTls(absl::string_view records) {
    const absl::Status received = tls_->Receive(records);
    SendTlsOutput();
    if (!received.ok()) {
      Close(Unavailable(received.message()));
      return;
    }
    const auto self = self_;
    if (phase_ == Phase::kConnecting && tls_->established()) Open();
    while (*self != nullptr && connected_ && phase_ != Phase::kClosed) {
      const absl::Span<char> buffer = SharedReadBuffer();
      const absl::StatusOr<size_t> count = tls_->Read(buffer);
      SendTlsOutput();
      if (!count.ok()) {
        Close(Unavailable(count.status().message()));
        return;
      }
      if (*count == 0) return;
      handler_.OnBytes({buffer.data(), *count});
    }
  }

  void SendTlsOutput() {
    if (tls_->output().empty()) return;
    Send(tls_->output());
    tls_->ClearOutput();
  }

  void Send(absl::string_view bytes) {
    if (phase_ == Phase::kEnding) return;
    if (!unsent_.empty()) {
      unsent_.Append(bytes);
      return;
    }
    const std::optional<size_t> sent = SendSome(bytes);
    if (!sent.has_value() || *sent == bytes.size()) return;
    unsent_.Append(bytes.substr(*sent));
    watch_->Want({.readable = true, .writable = true});
  }

  void SendUnsent() {
    const std::optional<size_t> sent = SendSome(unsent_.view());
    if (!sent.has_value()) return;
    unsent_.Drop(*sent);
    if (unsent_.empty()) watch_->Want({.readable = true});
  }

  // The number of bytes that the system took; nullopt: sending has failed.
  std::optional<size_t> SendSome(absl::string_view bytes) {
    const ssize_t count =
        send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<size_t>(count);
    if (IsTransient(errno)) return 0;
    EndLater(Unavailable(errno));
    return std::nullopt;
  }

  // Ends the stream in a task of its own, not within the owner's call. Reads
  // once more first: the handler still gets the last bytes of the peer, for
  // example the error "max number of clients reached".
  void EndLater(const absl::Status& why) {
    if (phase_ == Phase::kEnding) return;
    phase_ = Phase::kEnding;
    unsent_.Clear();
    parts_.loop.Post([self = self_, why] {
      if (*self != nullptr && (*self)->phase_ == Phase::kEnding) {
        (*self)->Read();
      }
      if (*self != nullptr && (*self)->phase_ == Phase::kEnding) {
        (*self)->Close(why);
      }
    });
  }

  // A method must return after Close(): the handler may destroy the stream.
  void Close(const absl::Status& why) {
    phase_ = Phase::kClosed;
    watch_.reset();
    socket_ = FileDescriptor();
    kept_.clear();
    unsent_.Clear();
    handler_.OnClosed(why);
  }

  absl::Status Unavailable(absl::string_view why) const {
    return absl::UnavailableError(
        absl::StrCat(endpoint_.ToString(), ": ", why));
  }
  absl::Status Unavailable(int error) const {
    return Unavailable(std::generic_category().message(error));
  }

  // Constant after construction.
  const StreamDependencies parts_;
  const Endpoint endpoint_;
  StreamHandler& handler_;
  const std::shared_ptr<SocketStream*> self_ =
      std::make_shared<SocketStream*>(this);  // null after destruction

  Phase phase_ = Phase::kConnecting;
  bool connected_ = false;              // OnConnected() was called
  std::optional<Connector> connector_;  // while there is no socket
  FileDescriptor socket_;
  std::unique_ptr<EventLoop::Watch> watch_;  // destroyed before its socket
  std::unique_ptr<TlsSession> tls_;
  std::string kept_;  // written before the stream was open
  Unsent unsent_;     // not yet taken by the system; with TLS, encrypted
};

}  // namespace

std::unique_ptr<Stream> Connect(const StreamDependencies& parts,
                                const Endpoint& endpoint,
                                StreamHandler& handler) {
  return std::make_unique<SocketStream>(parts, endpoint, handler);
}

}  // namespace rls
