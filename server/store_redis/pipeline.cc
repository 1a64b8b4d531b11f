#include "store_redis/pipeline.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace rls {
namespace {

// Batches on their way at once: while one is worked on, the next one waits at
// the server already. More would only be smaller.
constexpr size_t kMaxInFlight = 2;

// Takes of one batch. A script keeps Redis from everybody else while it runs:
// some 2 us a take.
constexpr size_t kMaxBatchTakes = 256;

// How long a late server is waited for before it is connected anew.
constexpr std::chrono::milliseconds kGiveUpAfter{500};

// A server that comes and goes must not flood the log.
constexpr absl::Duration kLogInterval = absl::Seconds(10);
constexpr int kLinesPerInterval = 6;

// Errors of a master of a cluster that is well: what to do is its owner's to
// know.
constexpr const char* kClusterMatters[] = {"MOVED", "ASK", "TRYAGAIN",
                                           "CLUSTERDOWN"};

// Errors of a server that is not, or not yet, the one to ask. Nothing was done.
constexpr const char* kWrongServer[] = {"READONLY",    "LOADING", "MASTERDOWN",
                                        "CLUSTERDOWN", "NOAUTH",  "NOPERM"};

bool IsAmong(absl::Span<const char* const> codes, absl::string_view code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

Pipeline::Pipeline(const PipelineParts& parts,
                   std::unique_ptr<EndpointSource> source, PipelineOwner* owner)
    : parts_(parts),
      source_(std::move(source)),
      owner_(owner),
      connection_(parts.stream, parts.access, *source_, *this),
      timer_(parts.stream.loop.NewTimer([this] { OnTimer(); })),
      log_(parts.clock, kLogInterval, kLinesPerInterval) {}

Pipeline::~Pipeline() {
  const absl::Status status =
      absl::UnavailableError("the Redis store is closing");
  FailAll(queue_, status);
  for (InFlight& one : in_flight_) FailAll(one.call->takes(), status);
}

void Pipeline::Add(std::unique_ptr<PendingTake> take) {
  WakeBy(take->answer_by);
  queue_.push_back(std::move(take));
}

void Pipeline::Flush() {
  if (queue_.empty() || !settled_) return;
  if (!usable()) {
    FailAll(queue_, absl::UnavailableError("Redis cannot be reached"));
    return;
  }
  while (!queue_.empty() && BatchesInFlight() < kMaxInFlight) SendBatch();
  connection_.Flush();
}

// They are answered in their order, but for those that are sent again.
size_t Pipeline::BatchesInFlight() const {
  return in_flight_.empty() ? 0 : next_batch_ - in_flight_.front().batch;
}

void Pipeline::SendBatch() {
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                        kMaxBatchTakes, queue_.size()));
  PendingTakes batch(std::make_move_iterator(queue_.begin()),
                     std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  const SteadyTime late_at = parts_.stream.loop.Now() + parts_.command_timeout;
  for (std::unique_ptr<ScriptCall>& call :
       MakeCalls(std::move(batch), parts_.clock.Now())) {
    in_flight_.push_back(
        {.call = std::move(call), .late_at = late_at, .batch = next_batch_});
    Send(std::prev(in_flight_.end()));
  }
  ++next_batch_;
  WakeBy(late_at);
}

void Pipeline::Send(Calls::iterator call) {
  std::string command;
  if (call->call->asking()) {
    connection_.Send(Command({"ASKING"}),
                     [](const absl::StatusOr<ReplyView>&) {});
  }
  const ScriptCall& sent = *call->call;
  call->sent_again
      ? sent.AppendTo("EVAL", ScriptSource(sent.script()), command)
      : sent.AppendTo("EVALSHA", connection_.sha(sent.script()), command);
  connection_.Send(command,
                   [this, call](const absl::StatusOr<ReplyView>& reply) {
                     OnReply(call, reply);
                   });
}

void Pipeline::OnReply(Calls::iterator call,
                       const absl::StatusOr<ReplyView>& reply) {
  if (reply.ok() && reply->error_code() == "NOSCRIPT" && !call->sent_again) {
    // Not done, so it may be sent again; once, with the script itself: a server
    // that has just forgotten its scripts may do so again at any moment.
    call->sent_again = true;
    Send(call);
    connection_.Flush();
    return;
  }
  const std::unique_ptr<ScriptCall> done = std::move(call->call);
  in_flight_.erase(call);
  UpdateUsable();
  Conclude(*done, reply);
  Flush();
}

void Pipeline::Conclude(ScriptCall& call,
                        const absl::StatusOr<ReplyView>& reply) {
  if (!reply.ok()) {
    FailAll(call.takes(), reply.status());
    return;
  }
  if (reply->is_error()) {
    if (Refused(call, *reply)) return;
    const absl::Status status =
        absl::UnavailableError(absl::StrCat("Redis: ", reply->text()));
    FailAll(call.takes(), status);
    if (IsAmong(kWrongServer, reply->error_code())) connection_.Break(status);
    return;
  }
  const absl::Status read = call.OnReply(reply->text(), parts_.exhausted);
  if (!read.ok()) {
    FailAll(call.takes(), read);
    connection_.Break(read);
    return;
  }
  connection_.Proven();
  for (std::unique_ptr<PendingTake>& take : call.takes()) {
    if (take != nullptr) Add(std::move(take));
  }
}

bool Pipeline::Refused(ScriptCall& call, const ReplyView& error) {
  if (owner_ == nullptr || !IsAmong(kClusterMatters, error.error_code())) {
    return false;
  }
  PendingTakes takes = std::exchange(call.takes(), {});
  std::erase(takes, nullptr);
  owner_->OnRefused(*this, std::move(takes), error.text());
  return true;
}

void Pipeline::OnReady() {
  log_.Info(
      absl::StrCat("Redis ", connection_.endpoint().ToString(), ": connected"));
  last_error_.clear();
  settled_ = true;
  UpdateUsable();
  Flush();
}

void Pipeline::OnBroken(const absl::Status& why) {
  // A server that stays away is one line, not one for each attempt.
  if (last_error_ != why.message()) log_.Warn(why.message());
  last_error_ = std::string(why.message());
  settled_ = true;
  UpdateUsable();
  FailAll(queue_, why);
  if (owner_ != nullptr) owner_->OnChange(*this);
}

void Pipeline::OnTimer() {
  const SteadyTime now = parts_.stream.loop.Now();
  wake_at_ = SteadyTime::max();
  ExpireTakes(queue_, now);
  std::erase(queue_, nullptr);
  bool give_up = false;
  for (InFlight& in_flight : in_flight_) {
    ExpireTakes(in_flight.call->takes(), now);
    const SteadyTime end = in_flight.late_at + kGiveUpAfter;
    WakeBy(in_flight.late_at > now ? in_flight.late_at : end);
    give_up |= end <= now;
  }
  UpdateUsable();
  if (give_up) {
    connection_.Break(absl::UnavailableError("no answer"));
  } else {
    Flush();
  }
}

void Pipeline::ExpireTakes(PendingTakes& takes, SteadyTime now) {
  for (std::unique_ptr<PendingTake>& take : takes) {
    if (take == nullptr) continue;
    if (take->answer_by > now) {
      WakeBy(take->answer_by);
    } else {
      take->Expire();
      take.reset();
    }
  }
}

void Pipeline::FailAll(PendingTakes& takes, const absl::Status& status) {
  for (std::unique_ptr<PendingTake>& take : std::exchange(takes, {})) {
    if (take != nullptr) take->Fail(status);
  }
}

void Pipeline::WakeBy(SteadyTime time) {
  if (time >= wake_at_) return;
  wake_at_ = time;
  timer_->Set(time);
}

// Late is who has not answered a call in time, until it has.
void Pipeline::UpdateUsable() {
  const SteadyTime now = parts_.stream.loop.Now();
  const bool late = std::any_of(
      in_flight_.begin(), in_flight_.end(),
      [now](const InFlight& in_flight) { return in_flight.late_at <= now; });
  const bool usable = connection_.ready() && !late;
  if (usable == usable_.load(std::memory_order_relaxed)) return;
  usable_.store(usable, std::memory_order_relaxed);
  if (owner_ != nullptr) owner_->OnChange(*this);
}

}  // namespace rls
