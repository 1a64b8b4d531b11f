#include <gmock/gmock.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "net/tls.h"
#include "temp_folder.h"
#include "unit/net_fixture.h"
#include "unit/net_tls_server.h"

namespace rls {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

  // Whether what is written comes back.
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
  EXPECT_THAT(Endings(server, 1), ElementsAre("localhost nobody: good-bye"));
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

TEST_F(TlsTest, SpeaksTls12WithWhoKnowsNoBetter) {
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

TEST_F(TlsTest, VerifiesAnAddressWithoutAskingForIt) {
  TlsServer server({.identity = &redis_});
  Context(trusting_);
  Open(server.endpoint(), "127.0.0.1");
  EXPECT_TRUE(Echoes());
  stream_.reset();
  EXPECT_THAT(Endings(server, 1), ElementsAre("anyone nobody: good-bye"));
}

TEST_F(TlsTest, RefusesTheCertificateOfAStranger) {
  const Identity other = NewIdentity(stranger_, {});
  TlsServer server({.identity = &other});
  Context(trusting_);
  Open(server.endpoint());
  stream_->Write("a secret");
  EXPECT_TRUE(IsRefused("not trusted: unable to get local issuer certificate"));
  EXPECT_THAT(Endings(server, 1), ElementsAre("refused"));
}

TEST_F(TlsTest, TheSystemKnowsNoneOfOurs) {
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
      ElementsAre("refused", "refused", "redis.example.com nobody: good-bye"));

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

TEST_F(TlsTest, ShowsItsCertificateToWhoAsks) {
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

TEST_F(TlsTest, TellsThatThePeerWantsACertificate) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsServer server({.identity = &redis_,
                      .client_authority = &authority_,
                      .newest_version = version});
    Context(trusting_);
    Open(server.endpoint());
    // With TLS 1.3 the client is connected before the server has judged it.
    IsRefused("");
    EXPECT_THAT(std::string(recorder_.why.message()),
                AnyOf(HasSubstr("certificate required"),
                      HasSubstr("handshake failure")));
    EXPECT_EQ(recorder_.bytes, "");
  }
}

TEST_F(TlsTest, TellsThatThePeerSpeaksNoTls) {
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

// Destroys its stream as soon as it hears of it.
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
  // Nonsense changes nothing, nor does a missing file.
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
