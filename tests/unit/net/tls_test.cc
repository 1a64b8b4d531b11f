#include "net/tls.h"

#include <gmock/gmock.h>
#include <netinet/tcp.h>
#include <openssl/err.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "temp_folder.h"
#include "unit/net/certificates.h"
#include "unit/net/net_fixture.h"
#include "unit/net/peer.h"

namespace rls {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string NameOf(const X509* certificate) {
  if (certificate == nullptr) return "unnamed";
  std::array<char, 100> name = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                            name.data(), static_cast<int>(name.size()));
  return name.data();
}

struct TlsServerOptions {
  const Identity* identity = nullptr;
  const Identity* client_authority = nullptr;  // null: no certificate needed
  int newest_version = TLS1_3_VERSION;
};

// An echo server with TLS, on a thread of its own. It serves one connection
// after another.
class TlsServer {
 public:
  explicit TlsServer(const TlsServerOptions& options);
  ~TlsServer();

  Endpoint endpoint() const { return listener_.endpoint(); }

  // The ends of the connections, in order: "refused" (no handshake), or the
  // server name that the client requested, the name in the client's
  // certificate, and "good-bye" or "cut off", as in "localhost gateway:
  // good-bye".
  std::vector<std::string> Endings();

 private:
  void Serve();
  std::string Echo(int socket);

  OpenSslPtr<SSL_CTX> context_;
  Listener listener_;
  std::atomic<bool> closing_{false};
  Mutex mutex_;
  std::vector<std::string> endings_ ABSL_GUARDED_BY(mutex_);
  int current_ ABSL_GUARDED_BY(mutex_) = -1;
  std::thread thread_;
};

TlsServer::TlsServer(const TlsServerOptions& options)
    : context_(SSL_CTX_new(TLS_server_method())) {
  // OpenSSL writes to sockets without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* const context = context_.get();
  SSL_CTX_use_certificate(context, options.identity->certificate.get());
  SSL_CTX_use_PrivateKey(context, options.identity->key.get());
  SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context, options.newest_version);
  // Versions before TLS 1.2 sign with SHA-1.
  if (options.newest_version < TLS1_2_VERSION) {
    SSL_CTX_set_security_level(context, 0);
  }
  if (options.client_authority != nullptr) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context),
                        options.client_authority->certificate.get());
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  listener_.Listen();
  thread_ = std::thread([this] { Serve(); });
}

TlsServer::~TlsServer() {
  closing_ = true;
  listener_.Shutdown();
  {
    MutexLock lock(&mutex_);
    if (current_ >= 0) shutdown(current_, SHUT_RDWR);
  }
  thread_.join();
}

std::vector<std::string> TlsServer::Endings() {
  MutexLock lock(&mutex_);
  return endings_;
}

void TlsServer::Serve() {
  while (!closing_) {
    const Peer peer = listener_.Accept();
    if (peer.fd() < 0) return;
    {
      MutexLock lock(&mutex_);
      current_ = peer.fd();
      if (closing_) return;
    }
    std::string ending = Echo(peer.fd());
    MutexLock lock(&mutex_);
    current_ = -1;
    endings_.push_back(std::move(ending));
  }
}

std::string TlsServer::Echo(int socket) {
  ERR_clear_error();
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const OpenSslPtr<SSL> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), socket);
  if (SSL_accept(ssl.get()) != 1) return "refused";
  const char* const requested =
      SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
  const std::string names =
      absl::StrCat(requested == nullptr ? "anyone" : requested, " ",
                   NameOf(SSL_get0_peer_certificate(ssl.get())));
  std::array<char, 1 << 14> buffer;
  for (;;) {
    const int count = SSL_read(ssl.get(), buffer.data(), buffer.size());
    if (count <= 0) {
      const bool polite =
          SSL_get_error(ssl.get(), count) == SSL_ERROR_ZERO_RETURN;
      return absl::StrCat(names, polite ? ": good-bye" : ": cut off");
    }
    SSL_write(ssl.get(), buffer.data(), count);
  }
}

class TlsTest : public LoopTest {
 protected:
  TlsTest() {
    trusting_.ca_file = Write("ca.pem", authority_.CertificatePem());
  }
  ~TlsTest() override { stream_.reset(); }

  std::string Write(const std::string& name, const std::string& text) {
    return temp_.Write(name, text);
  }

  void Context(const TlsOptions& options) {
    auto context = NewTlsContext(options);
    ASSERT_TRUE(context.ok()) << context.status();
    context_ = *std::move(context);
  }

  void Open(Endpoint endpoint, const std::string& host = "localhost") {
    recorder_ = {};
    endpoint.host = host;
    stream_ =
        Connect({*loop_, *resolver_, context_.get()}, endpoint, recorder_);
  }

  // Whether the written text comes back.
  bool Echoes(const std::string& text = "PING") {
    stream_->Write(text);
    return RunUntil([&] {
             return recorder_.bytes == text || recorder_.closed == 1;
           }) &&
           recorder_.closed == 0;
  }
  bool IsRefused(const std::string& reason) {
    EXPECT_TRUE(RunUntil([&] { return recorder_.closed == 1; }));
    EXPECT_EQ(recorder_.why.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(recorder_.why.message()), HasSubstr(reason));
    return recorder_.connected == 0 && recorder_.bytes.empty();
  }
  auto Endings(TlsServer& server, size_t count) {
    EXPECT_TRUE(RunUntil([&] { return server.Endings().size() == count; }));
    return server.Endings();
  }

  const TempFolder temp_;
  const fs::path& folder_ = temp_.path();
  const Identity authority_ = NewAuthority("authority");
  const Identity stranger_ = NewAuthority("stranger");
  const Identity redis_ = NewIdentity(authority_, {});
  TlsOptions trusting_;  // trusts authority_
  const std::unique_ptr<Resolver> resolver_ = NewResolver();
  std::unique_ptr<TlsContext> context_;
  Recorder recorder_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(TlsTest, CarriesBytesBothWaysAndSaysGoodBye) {
  TlsServer server({.identity = &redis_});
  Context(trusting_);
  Open(server.endpoint());
  stream_->Write("written before ");
  EXPECT_GT(stream_->unsent_bytes(), 0U);
  ASSERT_TRUE(RunUntil([&] { return recorder_.connected == 1; }));
  stream_->Write("and after");
  EXPECT_TRUE(
      RunUntil([&] { return recorder_.bytes == "written before and after"; }));
  stream_.reset();
  EXPECT_THAT(Endings(server, 1), ElementsAre("localhost unnamed: good-bye"));
}

TEST_F(TlsTest, CarriesMoreThanTheBuffersHold) {
  TlsServer server({.identity = &redis_});
  Context(trusting_);
  Open(server.endpoint());
  std::string large;
  for (int i = 0; large.size() < (8U << 20); ++i) absl::StrAppend(&large, i);
  EXPECT_TRUE(Echoes(large));
  EXPECT_EQ(stream_->unsent_bytes(), 0U);
}

TEST_F(TlsTest, SpeaksTls12WithAnOlderServer) {
  TlsServer server({.identity = &redis_, .newest_version = TLS1_2_VERSION});
  Context(trusting_);
  Open(server.endpoint());
  EXPECT_TRUE(Echoes());
}

TEST_F(TlsTest, RefusesOlderVersions) {
  TlsServer server({.identity = &redis_, .newest_version = TLS1_1_VERSION});
  Context(trusting_);
  Open(server.endpoint());
  EXPECT_TRUE(IsRefused("protocol"));
}

TEST_F(TlsTest, VerifiesAnAddressWithoutSendingItAsServerName) {
  TlsServer server({.identity = &redis_});
  Context(trusting_);
  Open(server.endpoint(), "127.0.0.1");
  EXPECT_TRUE(Echoes());
  stream_.reset();
  EXPECT_THAT(Endings(server, 1), ElementsAre("anyone unnamed: good-bye"));
}

TEST_F(TlsTest, RefusesTheCertificateOfAnUnknownAuthority) {
  const Identity other = NewIdentity(stranger_, {});
  TlsServer server({.identity = &other});
  Context(trusting_);
  Open(server.endpoint());
  stream_->Write("a secret");
  EXPECT_TRUE(IsRefused("not trusted: unable to get local issuer certificate"));
  EXPECT_THAT(Endings(server, 1), ElementsAre("refused"));
}

TEST_F(TlsTest, TheSystemDoesNotTrustTheTestsAuthority) {
  TlsServer server({.identity = &redis_});
  Context({});
  Open(server.endpoint());
  EXPECT_TRUE(IsRefused("not trusted: "));
}

TEST_F(TlsTest, RefusesTheCertificateOfAnotherName) {
  const Identity other = NewIdentity(
      authority_, {.alternative_names = "DNS:redis.example.com,IP:127.0.0.2"});
  TlsServer server({.identity = &other});
  Context(trusting_);
  Open(server.endpoint());
  EXPECT_TRUE(IsRefused("not trusted: hostname mismatch"));
  Open(server.endpoint(), "127.0.0.1");
  EXPECT_TRUE(IsRefused("not trusted: IP address mismatch"));

  TlsOptions options = trusting_;
  options.server_name = "redis.example.com.";
  Context(options);
  Open(server.endpoint());
  EXPECT_TRUE(Echoes());
  stream_.reset();
  EXPECT_THAT(
      Endings(server, 3),
      ElementsAre("refused", "refused", "redis.example.com unnamed: good-bye"));

  options = trusting_;
  options.verify_hostname = false;
  Context(options);
  Open(server.endpoint());
  EXPECT_TRUE(Echoes());
}

TEST_F(TlsTest, RefusesWhenThereIsNoNameToVerify) {
  UnixListener listener((folder_ / "redis.sock").string());
  Context(trusting_);
  Endpoint endpoint;
  endpoint.unix_path = listener.path();
  Open(endpoint, "");
  EXPECT_TRUE(IsRefused("no host name to verify"));
}

TEST_F(TlsTest, RefusesAnExpiredCertificate) {
  const Identity expired = NewIdentity(authority_, {.valid_until_s = -60});
  const Identity early = NewIdentity(authority_, {.valid_from_s = 600});
  TlsServer server({.identity = &expired});
  Context(trusting_);
  Open(server.endpoint());
  EXPECT_TRUE(IsRefused("not trusted: certificate has expired"));
  TlsServer other({.identity = &early});
  Open(other.endpoint());
  EXPECT_TRUE(IsRefused("not trusted: certificate is not yet valid"));
}

TEST_F(TlsTest, SendsItsCertificateToAServerThatRequestsIt) {
  const Identity gateway = NewIdentity(authority_, {.name = "gateway"});
  TlsServer server({.identity = &redis_, .client_authority = &authority_});
  TlsOptions options = trusting_;
  options.certificate_file = Write("cert.pem", gateway.CertificatePem());
  options.key_file = Write("key.pem", gateway.KeyPem());
  Context(options);
  Open(server.endpoint());
  EXPECT_TRUE(Echoes());
  stream_.reset();
  EXPECT_THAT(Endings(server, 1), ElementsAre("localhost gateway: good-bye"));
}

TEST_F(TlsTest, ReportsThatThePeerRequiresACertificate) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsServer server({.identity = &redis_,
                      .client_authority = &authority_,
                      .newest_version = version});
    Context(trusting_);
    Open(server.endpoint());
    // With TLS 1.3 the client is connected before the server has verified it.
    IsRefused("");
    EXPECT_THAT(std::string(recorder_.why.message()),
                AnyOf(HasSubstr("certificate required"),
                      HasSubstr("handshake failure")));
    EXPECT_EQ(recorder_.bytes, "");
  }
}

TEST_F(TlsTest, ReportsThatThePeerDoesNotSpeakTls) {
  Listener listener;
  Context(trusting_);
  Open(listener.Listen().endpoint(), "127.0.0.1");
  std::unique_ptr<Peer> peer;
  loop_->Post([&] {
    peer = std::make_unique<Peer>(listener.Accept());
    peer->Send("-ERR Protocol error\r\n");
  });
  EXPECT_TRUE(IsRefused("TLS: wrong version number"));
  Open(listener.endpoint(), "127.0.0.1");
  loop_->Post([&] { listener.Accept(); });
  EXPECT_TRUE(IsRefused("by"));  // closed or reset
}

// Destroys its stream in the first callback.
struct Destroyer final : Recorder {
  Destroyer(std::unique_ptr<Stream>& its, bool early)
      : stream(its), when_connected(early) {}
  void OnConnected() override {
    if (when_connected) stream.reset();
  }
  void OnBytes(absl::string_view) override { stream.reset(); }
  std::unique_ptr<Stream>& stream;
  const bool when_connected;
};

TEST_F(TlsTest, MayBeDestroyedInItsCallbacks) {
  TlsServer server({.identity = &redis_});
  Context(trusting_);
  for (const bool when_connected : {true, false}) {
    Destroyer destroyer(stream_, when_connected);
    stream_ = Connect({*loop_, *resolver_, context_.get()}, server.endpoint(),
                      destroyer);
    stream_->Write("x");
    EXPECT_TRUE(RunUntil([&] { return stream_ == nullptr; }));
  }
}

TEST_F(TlsTest, ReadsItsFilesAgainWhenTheyHaveChanged) {
  const Identity other = NewIdentity(stranger_, {});
  TlsServer old_server({.identity = &redis_});
  TlsServer new_server({.identity = &other});
  Context(trusting_);
  Open(new_server.endpoint());
  EXPECT_TRUE(IsRefused("not trusted"));
  // Neither an unusable file nor a missing file changes anything.
  Write("ca.pem", "nonsense");
  Open(old_server.endpoint());
  EXPECT_TRUE(Echoes());
  fs::remove(folder_ / "ca.pem");
  Open(old_server.endpoint());
  EXPECT_TRUE(Echoes());

  Write("ca.pem", stranger_.CertificatePem());
  Open(new_server.endpoint());
  EXPECT_TRUE(Echoes());
  Open(old_server.endpoint());
  EXPECT_TRUE(IsRefused("not trusted"));
}

TEST_F(TlsTest, ChangesItsCertificateWhenBothFilesHaveChanged) {
  const Identity first = NewIdentity(authority_, {.name = "first"});
  const Identity second = NewIdentity(authority_, {.name = "second"});
  TlsServer server({.identity = &redis_, .client_authority = &authority_});
  TlsOptions options = trusting_;
  options.certificate_file = Write("cert.pem", first.CertificatePem());
  options.key_file = Write("key.pem", first.KeyPem());
  Context(options);
  const auto connect = [&] {
    Open(server.endpoint());
    EXPECT_TRUE(Echoes());
    stream_.reset();
  };
  connect();
  Write("cert.pem", second.CertificatePem());
  connect();
  Write("key.pem", second.KeyPem());
  connect();
  EXPECT_THAT(Endings(server, 3), ElementsAre("localhost first: good-bye",
                                              "localhost first: good-bye",
                                              "localhost second: good-bye"));
}

TEST_F(TlsTest, NamesTheFileThatItCannotUse) {
  const std::string certificate = Write("c.pem", redis_.CertificatePem());
  const std::string key = Write("k.pem", redis_.KeyPem());
  const std::string locked = Write("l.pem", redis_.KeyPem("password"));
  const std::string other = Write("o.pem", authority_.KeyPem());
  const std::string nonsense = Write("n.pem", "nonsense");
  const struct {
    TlsOptions options;
    std::string file;
    std::string reason;
  } cases[] = {
      {{.ca_file = "/none.pem"}, "/none.pem", "No such file"},
      {{.ca_file = nonsense}, nonsense, "no certificate"},
      {{.ca_file = folder_.string()}, folder_.string(), ""},
      {{.certificate_file = certificate}, certificate, "one is missing"},
      {{.key_file = key}, key, "one is missing"},
      {{.certificate_file = nonsense, .key_file = key}, nonsense, ""},
      {{.certificate_file = certificate, .key_file = other},
       other,
       "key values mismatch"},
      {{.certificate_file = certificate, .key_file = locked},
       locked,
       "password"},
  };
  for (const auto& [options, file, reason] : cases) {
    const auto context = NewTlsContext(options);
    EXPECT_EQ(context.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(context.status().message()), HasSubstr(file));
    EXPECT_THAT(std::string(context.status().message()), HasSubstr(reason));
  }
}

}  // namespace
}  // namespace rls
