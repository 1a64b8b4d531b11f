#ifndef RLS_TESTS_UNIT_H2_SESSION_FIXTURE_H_
#define RLS_TESTS_UNIT_H2_SESSION_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "fake_clock.h"
#include "rpc_lean/h2_session.h"
#include "unit/h2_frames.h"

namespace rls {

// Answers each call with its own message, unless told otherwise.
struct EchoHandler final : CallHandler {
  void Serve(Call& call) override {
    ++served;
    if (on_serve) {
      on_serve(call);
      return;
    }
    absl::string_view message;
    if (call.received().Take(SIZE_MAX, message) ==
        MessageBuffer::Found::kMessage) {
      call.Answer(message);
    } else {
      call.Finish(absl::InternalError("no message"));
    }
  }
  void Closed(Call&) override { ++closed; }

  std::function<void(Call&)> on_serve;
  size_t served = 0;
  size_t closed = 0;
};

// A session without a socket, fed with hand-made frames.
class H2SessionTest : public ::testing::Test {
 protected:
  static constexpr size_t kMaxRequestBytes = 1 << 20;

  H2SessionTest() { Open(); }

  // Whatever happened, nothing is left of it.
  void TearDown() override {
    session_.reset();
    EXPECT_EQ(calls_.size(), 0u);
    EXPECT_EQ(calls_.buffered_bytes, 0u);
    EXPECT_EQ(calls_.unsent_bytes, 0u);
  }

  void Open() { session_ = NewSession(); }
  std::unique_ptr<H2Session> NewSession() {
    return std::make_unique<H2Session>(
        H2SessionParts{.clock = clock_,
                       .calls = calls_,
                       .memory = memory_,
                       .handler = handler_,
                       .max_request_bytes = kMaxRequestBytes},
        [this] { ++pending_; });
  }

  // Feeds it, and takes all that it sends. False: it is not HTTP/2 any more.
  bool Receive(absl::string_view bytes) {
    const bool good = session_->Receive(bytes);
    Pull();
    return good;
  }
  void Pull() {
    for (absl::string_view bytes = session_->Pull(); !bytes.empty();
         bytes = session_->Pull()) {
      answers_.Feed(bytes);
    }
  }
  const Response& response(int32_t stream) { return answers_.response(stream); }

  FakeClock clock_;
  CallPool calls_;
  H2Memory memory_;
  EchoHandler handler_;
  size_t pending_ = 0;
  H2Answers answers_;
  std::unique_ptr<H2Session> session_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_H2_SESSION_FIXTURE_H_
