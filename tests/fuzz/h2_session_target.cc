#include "fuzz/h2_session_target.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "rpc_lean/h2_session.h"

namespace rls {
namespace {

constexpr size_t kMaxRequestBytes = 4'096;
constexpr absl::Duration kPatience = absl::Seconds(30);

class TurnedClock final : public Clock {
 public:
  absl::Time Now() const override { return now_; }
  absl::Duration Elapsed() const override { return now_ - absl::UnixEpoch(); }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

// Does with its calls all that a handler may do, one after the other.
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
        Hold(call);
        break;
      case 3:
        call.Send(message);
        Hold(call);
        break;
      default:
        call.Send("one");
        call.Send("two");
        call.Finish(absl::OkStatus());
    }
  }

  void Closed(Call& call) override {
    if (!call.finished()) std::abort();  // Nothing reaches it any more.
  }

  void ReleaseHeld() {
    for (Call* const call : std::exchange(held_, {})) {
      if (next_++ % 2 == 0) {
        call->Answer("later");
      } else {
        call->Finish(absl::UnavailableError("later\n"));
      }
      call->Release();
    }
  }

 private:
  void Hold(Call& call) {
    call.Hold();
    // As the limiter does, when it gives the slot back.
    call.caller().OnGone([this, &call] {
      held_.erase(std::find(held_.begin(), held_.end(), &call));
      call.Answer("to nobody");
      call.Release();
    });
    held_.push_back(&call);
  }

  size_t next_;
  std::vector<Call*> held_;
};

// What happens beside reading, now and then.
void Disturb(size_t turn, H2Session& session, AnyHandler& handler,
             TurnedClock& clock) {
  if (turn % 2 == 0) handler.ReleaseHeld();
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
  const auto how = static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  constexpr size_t kPortions[] = {1, 7, 24, 33, 100, 1'000, 16'384, SIZE_MAX};
  const size_t portion = kPortions[how % 8];
  TurnedClock clock;
  CallPool calls;
  H2Memory memory;
  AnyHandler handler(how / 8);
  auto session = std::make_unique<H2Session>(
      H2SessionParts{.clock = clock,
                     .calls = calls,
                     .memory = memory,
                     .handler = handler,
                     .max_request_bytes = kMaxRequestBytes},
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
  handler.ReleaseHeld();
  if (calls.size() != 0 || calls.buffered_bytes != 0 ||
      calls.unsent_bytes != 0) {
    std::abort();
  }
}

}  // namespace rls
