// A listening socket when the system refuses to accept.

#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "unit/net/net_fixture.h"

namespace rls {
namespace {

class ListenerTest : public LoopTest {
 protected:
  void SetUp() override {
    auto made = Listen(*loop_, "127.0.0.1:0");
    ASSERT_TRUE(made.ok()) << made.status();
    listener_ = *std::move(made);
    listener_->Accept(
        [this](FileDescriptor connection, const PeerAddress& peer) {
          accepted_.push_back(std::move(connection));
          peers_.push_back(peer);
        },
        [this](int error) { errors_.push_back(error); });
  }

  FileDescriptor Connect() {
    const std::string& address = listener_->address();
    uint32_t port = 0;
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    FileDescriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<uint16_t>(port));
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&name),
                      sizeof(name)),
              0);
    return client;
  }

  std::unique_ptr<StreamListener> listener_;
  std::vector<FileDescriptor> accepted_;
  std::vector<PeerAddress> peers_;
  std::vector<int> errors_;
};

TEST_F(ListenerTest, AConnectionComesWithTheAddressOfItsPeer) {
  const FileDescriptor client = Connect();
  ASSERT_TRUE(RunUntil([this] { return !accepted_.empty(); }));
  EXPECT_EQ(peers_[0].ToString(), "127.0.0.1");
  EXPECT_NE(fcntl(accepted_[0].get(), F_GETFL) & O_NONBLOCK, 0);
}

// Without a descriptor for it, a connection waits until there is one.
TEST_F(ListenerTest, AConnectionWaitsForADescriptor) {
  // UBSan opens a pipe when it checks the type of an object for the first time.
  ASSERT_TRUE(RunUntil([turns = 0]() mutable { return ++turns == 3; }));
  const FileDescriptor client = Connect();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool failed_twice = RunUntil([this] { return errors_.size() >= 2; });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(failed_twice);
  EXPECT_EQ(errors_[0], EMFILE);
  EXPECT_TRUE(accepted_.empty());
  EXPECT_TRUE(RunUntil([this] { return accepted_.size() == 1; }));
}

}  // namespace
}  // namespace rls
