#include "fuzz/h2_session_target.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "fuzz/targets.h"
#include "metrics/metrics.h"
#include "rpc/lean/h2_session.h"

namespace rls {
namespace {

constexpr size_t kMaxRequestBytes = 4'096;
constexpr absl::Duration kPatience = absl::Seconds(30);

class ManualClock final : public Clock {
 public:
  absl::Time Now() const override { return now_; }
  absl::Duration Elapsed() const override { return now_ - absl::UnixEpoch(); }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

// Uses each action that a handler may use, one after the other.
class AnyHandler final : public CallHandler {
 public:
  explicit AnyHandler(size_t begin) : next_(begin) {}

  void Serve(Call& call) override {
    absl::string_view message;
    while (call.received().Take(kMaxRequestBytes, message) ==
           MessageBuffer::Found::kMessage) {
      if (!TakesOneMessage(call.method())) call.Send(message);
    }
    if (!call.request_ended()) return;
    switch (next_++ % 5) {
      case 0:
        call.Answer(message);
        break;
      case 1:
        call.Finish(absl::InvalidArgumentError(message));
        break;
      case 2:
        Retain(call);
        break;
      case 3:
        call.Send(message);
        Retain(call);
        break;
      default:
        call.Send("one");
        call.Send("two");
        call.Finish(absl::OkStatus());
    }
  }

  void Closed(Call& call) override {
    if (!call.finished()) std::abort();
  }

  void ReleaseRetained() {
    for (Call* const call : std::exchange(retained_, {})) {
      if (next_++ % 2 == 0) {
        call->Answer("later");
      } else {
        call->Finish(absl::UnavailableError("later\n"));
      }
      call->Release();
    }
  }

 private:
  void Retain(Call& call) {
    call.Retain();
    // The limiter does the same when it returns a booked slot.
    call.caller().OnGone([this, &call] {
      retained_.erase(std::find(retained_.begin(), retained_.end(), &call));
      call.Answer("discarded");
      call.Release();
    });
    retained_.push_back(&call);
  }

  size_t next_;
  std::vector<Call*> retained_;
};

// Actions between the reads, in some turns.
void Disturb(size_t turn, H2Session& session, AnyHandler& handler,
             ManualClock& clock) {
  if (turn % 2 == 0) handler.ReleaseRetained();
  if (turn % 7 == 3) session.Ping();
  if (turn % 32 == 13) session.AnnounceGoAway();
  if (turn % 64 == 31) session.GoAway();
  if (turn % 16 == 5) {
    clock.Advance(kPatience);
    session.DropOverdue(kPatience);
  }
}

void PullAll(H2Session& session) {
  while (!session.Pull().empty()) {
  }
}

}  // namespace

void FeedH2Session(absl::string_view input) {
  if (input.empty()) return;
  const auto variant = static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  constexpr size_t kPortions[] = {1, 7, 24, 33, 100, 1'000, 16'384, SIZE_MAX};
  const size_t portion = kPortions[variant % 8];
  ManualClock clock;
  // One for all inputs, so that its log lines are throttled.
  static const ManualClock report_clock;
  static Metrics& metrics = *NewMetrics().release();
  static BoundReport report(report_clock, metrics);
  CallPool calls;
  H2Memory memory;
  AnyHandler handler(variant / 8);
  auto session = std::make_unique<H2Session>(
      H2SessionDependencies{.clock = clock,
                            .calls = calls,
                            .memory = memory,
                            .handler = handler,
                            .report = report,
                            .max_request_bytes = kMaxRequestBytes,
                            .reads_trace_headers = true},
      [] {});
  for (size_t turn = 0; !input.empty() && !session->over(); ++turn) {
    const bool good = session->Receive(input.substr(0, portion));
    PullAll(*session);
    if (!good) break;
    input.remove_prefix(std::min(portion, input.size()));
    Disturb(turn, *session, handler, clock);
    PullAll(*session);
  }
  session.reset();
  handler.ReleaseRetained();
  if (calls.size() != 0 || calls.buffered_bytes != 0 ||
      calls.unsent_bytes != 0 || calls.incomplete_calls != 0) {
    std::abort();
  }
}

void FuzzH2Session(const uint8_t* bytes, size_t size) {
  FeedH2Session({reinterpret_cast<const char*>(bytes), size});
}

}  // namespace rls
