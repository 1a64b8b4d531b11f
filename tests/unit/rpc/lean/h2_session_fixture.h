#ifndef RLS_TESTS_UNIT_RPC_LEAN_H2_SESSION_FIXTURE_H_
#define RLS_TESTS_UNIT_RPC_LEAN_H2_SESSION_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "fake_clock.h"
#include "metrics/metrics.h"
#include "rpc/lean/h2_session.h"
#include "unit/rpc/lean/h2_frames.h"

namespace rls {

// By default answers each call with its own message.
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

  // After each test no call and no memory of calls is left.
  void TearDown() override {
    session_.reset();
    EXPECT_EQ(calls_.size(), 0u);
    EXPECT_EQ(calls_.buffered_bytes, 0u);
    EXPECT_EQ(calls_.unsent_bytes, 0u);
    EXPECT_EQ(calls_.incomplete_calls, 0u);
  }

  void Open() { session_ = NewSession(); }
  std::unique_ptr<H2Session> NewSession() {
    return std::make_unique<H2Session>(
        H2SessionDependencies{.clock = clock_,
                              .calls = calls_,
                              .memory = memory_,
                              .handler = handler_,
                              .report = report_,
                              .max_request_bytes = kMaxRequestBytes},
        [this] { ++pending_; });
  }

  // Feeds the session and reads its output. False: the bytes are not HTTP/2.
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

  // The value of a metric of BoundReport.
  double Reported(const std::string& name, const std::string& reason) {
    const std::string series =
        "ratelimitd_http2_" + name + "_total{reason=\"" + reason + "\"} ";
    const std::string text = metrics_->Text();
    const size_t at = text.find(series);
    EXPECT_NE(at, text.npos) << series;
    return at == text.npos ? -1 : std::stod(text.substr(at + series.size()));
  }

  FakeClock clock_;
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  BoundReport report_{clock_, *metrics_};
  CallPool calls_;
  H2Memory memory_;
  EchoHandler handler_;
  size_t pending_ = 0;
  H2Answers answers_;
  std::unique_ptr<H2Session> session_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_RPC_LEAN_H2_SESSION_FIXTURE_H_
