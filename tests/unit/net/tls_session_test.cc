#include "net/tls_session.h"

#include <gmock/gmock.h>
#include <openssl/err.h>

#include <utility>

#include "temp_folder.h"
#include "unit/net/certificates.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

// A server's end of a TLS connection, in memory.
class MemoryServer {
 public:
  explicit MemoryServer(const Identity& identity)
      : context_(SSL_CTX_new(TLS_server_method())),
        from_client_(BIO_new(BIO_s_mem())),
        to_client_(BIO_new(BIO_s_mem())) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), from_client_, to_client_);
    SSL_set_accept_state(ssl_.get());
  }

  // Takes the client's records. Returns their bytes, "good-bye" for a closing
  // alert, or OpenSSL's error.
  std::string Receive(absl::string_view records) {
    ERR_clear_error();
    BIO_write(from_client_, records.data(), static_cast<int>(records.size()));
    std::string bytes(1 << 15, '\0');
    const int count =
        SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    if (SSL_get_error(ssl_.get(), count) == SSL_ERROR_ZERO_RETURN) {
      return "good-bye";
    }
    const char* const failure = ERR_reason_error_string(ERR_get_error());
    return failure == nullptr ? bytes : failure;
  }

  void Write(const std::string& bytes) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }

  std::string TakeRecords() {
    std::string records(1 << 17, '\0');
    const int count =
        BIO_read(to_client_, records.data(), static_cast<int>(records.size()));
    records.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return records;
  }

 private:
  OpenSslPtr<SSL_CTX> context_;
  OpenSslPtr<SSL> ssl_;  // owns the two buffers below
  BIO* const from_client_;
  BIO* const to_client_;
};

class TlsSessionTest : public ::testing::Test {
 protected:
  TlsSessionTest() {
    context_ = *NewTlsContext(
        {.ca_file = folder_.Write("ca.pem", authority_.CertificatePem())});
    session_ = *NewTlsSession(*context_, "localhost");
  }

  std::string TakeOutput() {
    std::string output(session_->output());
    session_->ClearOutput();
    return output;
  }

  // Receives one byte at a time, because records may arrive in any pieces.
  absl::Status ReceiveBytewise(const std::string& records) {
    for (const char byte : records) {
      absl::Status status = session_->Receive({&byte, 1});
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status ShakeHands(MemoryServer& server) {
    absl::Status status = session_->Receive("");
    for (int flight = 0; flight < 4 && status.ok(); ++flight) {
      EXPECT_EQ(server.Receive(TakeOutput()), "");
      status = ReceiveBytewise(server.TakeRecords());
    }
    return status;
  }

  const TempFolder folder_;
  const Identity authority_ = NewAuthority("authority");
  std::unique_ptr<TlsContext> context_;
  std::unique_ptr<TlsSession> session_;
};

TEST_F(TlsSessionTest, TakesRecordsInAnyPieces) {
  MemoryServer server(NewIdentity(authority_, {}));
  EXPECT_FALSE(session_->established());
  ASSERT_TRUE(ShakeHands(server).ok());
  ASSERT_TRUE(session_->established());

  ASSERT_TRUE(session_->Write("to the server").ok());
  EXPECT_EQ(server.Receive(TakeOutput()), "to the server");

  const std::string sent(50'000, 'x');  // four records
  server.Write(sent);
  std::string got;
  for (const char byte : server.TakeRecords()) {
    ASSERT_TRUE(session_->Receive({&byte, 1}).ok());
    char piece[1000];
    for (;;) {
      const auto count = session_->Read(absl::MakeSpan(piece));
      ASSERT_TRUE(count.ok()) << count.status();
      if (*count == 0) break;
      got.append(piece, *count);
    }
  }
  EXPECT_EQ(got, sent);

  session_->Close();
  EXPECT_EQ(server.Receive(TakeOutput()), "good-bye");
}

TEST_F(TlsSessionTest, SendsThePeerTheReasonWhyItIsNotTrusted) {
  MemoryServer server(NewIdentity(NewAuthority("stranger"), {}));
  const absl::Status status = ShakeHands(server);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(session_->established());
  EXPECT_THAT(server.Receive(TakeOutput()), HasSubstr("unknown ca"));
}

TEST_F(TlsSessionTest, FailsOnAForgedRecord) {
  MemoryServer server(NewIdentity(authority_, {}));
  ASSERT_TRUE(ShakeHands(server).ok());
  server.Write("to the client");
  std::string records = server.TakeRecords();
  records.back() ^= 1;
  ASSERT_TRUE(session_->Receive(records).ok());
  char piece[100];
  const auto count = session_->Read(absl::MakeSpan(piece));
  EXPECT_EQ(count.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace rls
