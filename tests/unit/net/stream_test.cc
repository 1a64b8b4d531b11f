#include "net/stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/tcp.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "temp_folder.h"
#include "unit/net/net_fixture.h"
#include "unit/net/peer.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

// Always finds the addresses that the test gives.
class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(std::vector<SocketAddress> addresses)
      : addresses_(std::move(addresses)) {}
  void Resolve(const Endpoint&, EventLoop& loop,
               absl::AnyInvocable<void(Addresses)> done) override {
    loop.Post([addresses = addresses_, done = std::move(done)]() mutable {
      done(std::move(addresses));
    });
  }

 private:
  const std::vector<SocketAddress> addresses_;
};

class StreamTest : public LoopTest {
 protected:
  void Open(const Endpoint& endpoint) {
    stream_ = Connect({*loop_, *resolver_}, endpoint, recorder_);
  }
  bool IsConnected() {
    return RunUntil([&] { return recorder_.connected == 1; });
  }
  bool IsClosed() {
    return RunUntil([&] { return recorder_.closed == 1; });
  }
  std::string Why() const { return std::string(recorder_.why.message()); }
  bool PeerGets(Peer& peer, const std::string& bytes) {
    std::string got;
    return RunUntil([&] { return (got += peer.Received()) == bytes; });
  }

  const std::unique_ptr<Resolver> resolver_ = NewResolver();
  Listener listener_;
  Recorder recorder_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(StreamTest, CarriesBytesBothWays) {
  Open(listener_.Listen().endpoint());
  ASSERT_TRUE(IsConnected());
  Peer peer = listener_.Accept();
  stream_->Write("PING\r\n");
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
  EXPECT_TRUE(PeerGets(peer, "PING\r\n"));
  peer.Send("+PONG\r\n");
  EXPECT_TRUE(RunUntil([&] { return recorder_.bytes == "+PONG\r\n"; }));
  EXPECT_EQ(recorder_.closed, 0);
}

TEST_F(StreamTest, SendsSmallWritesAtOnce) {
  Open(listener_.Listen().endpoint());
  ASSERT_TRUE(IsConnected());
  // Finds the only socket of this process that is connected to the listener.
  Peer peer = listener_.Accept();
  const SocketAddress listener = listener_.address();
  bool found = false;
  for (int fd = 0; fd < 1024; ++fd) {
    int no_delay = 0;
    socklen_t size = sizeof(no_delay);
    SocketAddress there;
    there.length = sizeof(there.storage);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&there.storage),
                    &there.length) != 0 ||
        std::memcmp(&there.storage, &listener.storage, sizeof(sockaddr_in)) !=
            0) {
      continue;
    }
    found = true;
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
    EXPECT_EQ(no_delay, 1);
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_TRUE(found);
}

TEST_F(StreamTest, KeepsBytesWrittenBeforeItIsConnected) {
  Open(listener_.Listen().endpoint());
  stream_->Write("first ");
  stream_->Write("second");
  EXPECT_EQ(stream_->unsent_bytes(), 12U);
  ASSERT_TRUE(IsConnected());
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
  Peer peer = listener_.Accept();
  EXPECT_TRUE(PeerGets(peer, "first second"));
}

TEST_F(StreamTest, KeepsUnreadBytesForASlowPeerInOrder) {
  Open(listener_.Listen().endpoint());
  ASSERT_TRUE(IsConnected());
  Peer peer = listener_.Accept();
  std::string all;
  for (int i = 0; all.size() < (16U << 20); ++i) {
    const std::string piece =
        absl::StrCat(i, ":", std::string(100'000, static_cast<char>(i)));
    stream_->Write(piece);
    all += piece;
  }
  EXPECT_GT(stream_->unsent_bytes(), 1U << 20);
  EXPECT_LT(stream_->unsent_bytes(), all.size());
  EXPECT_TRUE(PeerGets(peer, all));
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
  // Later writes go out at once again.
  stream_->Write("last");
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
  EXPECT_TRUE(PeerGets(peer, "last"));
}

TEST_F(StreamTest, AFloodOnOneStreamDoesNotDelayAnother) {
  listener_.Listen();
  Open(listener_.endpoint());
  ASSERT_TRUE(IsConnected());
  Peer flood = listener_.Accept();
  Recorder other;
  const auto stream =
      Connect({*loop_, *resolver_}, listener_.endpoint(), other);
  ASSERT_TRUE(RunUntil([&] { return other.connected == 1; }));
  Peer quiet = listener_.Accept();
  // Sends as much as the kernel takes, before the loop runs.
  const std::string block(1 << 16, 'x');
  size_t sent = 0;
  for (ssize_t count = 0; count >= 0; sent += static_cast<size_t>(count)) {
    count = send(flood.fd(), block.data(), block.size(), MSG_DONTWAIT);
    if (count < 0) break;
  }
  ASSERT_GT(sent, 1U << 20);
  quiet.Send("quick");
  size_t flooded_before = 0;
  ASSERT_TRUE(RunUntil([&] {
    if (other.bytes.empty()) flooded_before = recorder_.bytes.size();
    return recorder_.bytes.size() == sent && other.bytes == "quick";
  }));
  EXPECT_LT(flooded_before, sent);
}

TEST_F(StreamTest, ServesUnixSockets) {
  const TempFolder folder;
  const std::string path = folder.path() / "redis.sock";
  {
    UnixListener server(path);
    Open(*ParseEndpoint(path, 0));
    ASSERT_TRUE(IsConnected());
    Peer peer = server.Accept();
    stream_->Write("hello");
    EXPECT_TRUE(PeerGets(peer, "hello"));
  }
  EXPECT_TRUE(IsClosed());
  recorder_ = {};
  Open(*ParseEndpoint(path, 0));
  EXPECT_TRUE(IsClosed());
  EXPECT_EQ(Why(), path + ": Connection refused");
}

TEST_F(StreamTest, ReportsThatAPortRefuses) {
  Open(listener_.endpoint());
  stream_->Write("kept");
  EXPECT_TRUE(IsClosed());
  EXPECT_EQ(recorder_.connected, 0);
  EXPECT_EQ(recorder_.why.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Why(), HasSubstr(listener_.endpoint().ToString()));
  EXPECT_THAT(Why(), HasSubstr("Connection refused"));
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
  stream_->Write("ignored");
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
}

TEST_F(StreamTest, ReportsThatAHostIsUnknown) {
  Open({.host = "no-such-host.invalid", .port = 1});
  EXPECT_TRUE(IsClosed());
  EXPECT_EQ(recorder_.why.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Why(), HasSubstr("no-such-host.invalid:1: "));
}

TEST_F(StreamTest, ReportsThatThePeerHasReset) {
  Open(listener_.Listen().endpoint());
  ASSERT_TRUE(IsConnected());
  listener_.Accept().Reset();
  EXPECT_TRUE(IsClosed());
  EXPECT_THAT(Why(), HasSubstr("Connection reset by peer"));
}

TEST_F(StreamTest, DeliversBytesReceivedBeforeTheEnd) {
  Open(listener_.Listen().endpoint());
  ASSERT_TRUE(IsConnected());
  Peer peer = listener_.Accept();
  peer.Send("last words");
  peer.HalfClose();
  EXPECT_TRUE(IsClosed());
  EXPECT_EQ(recorder_.bytes, "last words");
  EXPECT_THAT(Why(), HasSubstr("closed by the peer"));
}

// If Redis has too many clients, it sends an error and closes the connection,
// without reading the bytes that the client has sent meanwhile.
TEST_F(StreamTest, DeliversBytesReceivedBeforeWritingFailed) {
  Open(listener_.Listen().endpoint());
  ASSERT_TRUE(IsConnected());
  {
    Peer peer = listener_.Accept();
    peer.Send("-ERR max number of clients reached\r\n");
  }
  for (int i = 0; i < 100; ++i) stream_->Write("PING\r\n");
  EXPECT_EQ(recorder_.closed, 0) << "within a method of the stream";
  EXPECT_TRUE(IsClosed());
  EXPECT_EQ(recorder_.bytes, "-ERR max number of clients reached\r\n");
  EXPECT_EQ(recorder_.why.code(), absl::StatusCode::kUnavailable);
}

TEST_F(StreamTest, TriesTheNextAddressWhenOneRefuses) {
  Listener refusing;
  FixedResolver resolver(
      {refusing.address(), refusing.address(), listener_.Listen().address()});
  stream_ = Connect({*loop_, resolver}, listener_.endpoint(), recorder_);
  ASSERT_TRUE(IsConnected());
  Peer peer = listener_.Accept();
  stream_->Write("x");
  EXPECT_TRUE(PeerGets(peer, "x"));
}

TEST_F(StreamTest, ReportsTheLastAddressWhenAllRefuse) {
  Listener first;
  FixedResolver resolver({first.address(), listener_.address()});
  stream_ =
      Connect({*loop_, resolver}, {.host = "redis", .port = 6379}, recorder_);
  ASSERT_TRUE(IsClosed());
  EXPECT_EQ(Why(), absl::StrCat("redis:6379: 127.0.0.1 port ",
                                listener_.endpoint().port,
                                ": Connection refused (of 2 addresses)"));
}

TEST_F(StreamTest, DoesNotWaitForAnAddressThatDoesNotAnswer) {
  const SilentListener silent;
  FixedResolver resolver({silent.address(), listener_.Listen().address()});
  stream_ = Connect({*loop_, resolver}, listener_.endpoint(), recorder_);
  ASSERT_TRUE(IsConnected());
  EXPECT_GE(listener_.Accept().fd(), 0);
}

TEST_F(StreamTest, DestroyedWhileItConnectsItRunsNoCallback) {
  listener_.Listen();
  for (const char* host : {"127.0.0.1", "localhost", "no-such-host.invalid"}) {
    Endpoint endpoint = listener_.endpoint();
    endpoint.host = host;
    Open(endpoint);
    stream_.reset();
    Open(endpoint);
    loop_->Post([&] { loop_->Stop(); });
    loop_->Run();
    recorder_ = {};
    stream_.reset();
  }
  Open(listener_.endpoint());
  ASSERT_TRUE(IsConnected());
  EXPECT_EQ(recorder_.closed, 0);
}

// Destroys its stream in one of the callbacks.
struct Destroyer final : Recorder {
  enum class In { kConnected, kBytes, kClosed };
  Destroyer(std::unique_ptr<Stream>& its, In when) : stream(its), in(when) {}
  void OnConnected() override {
    Recorder::OnConnected();
    if (in == In::kConnected) stream.reset();
  }
  void OnBytes(absl::string_view more) override {
    Recorder::OnBytes(more);
    if (in == In::kBytes) stream.reset();
  }
  void OnClosed(const absl::Status& status) override {
    Recorder::OnClosed(status);
    if (in == In::kClosed) stream.reset();
  }
  std::unique_ptr<Stream>& stream;
  const In in;
};

TEST_F(StreamTest, MayBeDestroyedInEachOfItsCallbacks) {
  using In = Destroyer::In;
  listener_.Listen();
  for (const In in : {In::kConnected, In::kBytes, In::kClosed}) {
    Destroyer destroyer(stream_, in);
    stream_ = Connect({*loop_, *resolver_}, listener_.endpoint(), destroyer);
    stream_->Write("kept");
    ASSERT_TRUE(RunUntil([&] { return destroyer.connected == 1; }));
    {
      Peer peer = listener_.Accept();
      peer.Send("bytes");
    }
    EXPECT_TRUE(RunUntil([&] { return stream_ == nullptr; }));
    EXPECT_EQ(destroyer.closed, in == In::kClosed ? 1 : 0);
  }
}

}  // namespace
}  // namespace rls
