#include "store/redis/pipeline.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace rls {
namespace {

// The most batches in flight. Two are enough: while the server works on one,
// the next one is already there. More batches would only be smaller.
constexpr size_t kMaxInFlight = 2;

// The most takes of one batch. Redis serves no other client while a script
// runs, which takes about 2 us for each take.
constexpr size_t kMaxBatchTakes = 256;

// The time after which the connection to a late server is closed and made
// again.
constexpr std::chrono::milliseconds kGiveUpAfter{500};

// Limits the log lines of a server that comes and goes.
constexpr absl::Duration kLogInterval = absl::Seconds(10);
constexpr int kLinesPerInterval = 6;

// Errors that are normal in a cluster. The owner of the pipeline handles them.
constexpr const char* kClusterErrors[] = {"MOVED", "ASK", "TRYAGAIN",
                                          "CLUSTERDOWN"};

// Errors of a server that cannot serve, or cannot serve yet. It has changed
// nothing.
constexpr const char* kWrongServer[] = {"READONLY",    "LOADING", "MASTERDOWN",
                                        "CLUSTERDOWN", "NOAUTH",  "NOPERM"};

bool IsAmong(absl::Span<const char* const> codes, absl::string_view code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

Pipeline::Pipeline(const PipelineDependencies& dependencies,
                   std::unique_ptr<EndpointSource> source, PipelineOwner* owner)
    : dependencies_(dependencies),
      source_(std::move(source)),
      owner_(owner),
      connection_(dependencies.stream, dependencies.access, *source_, *this),
      timer_(dependencies.stream.loop.NewTimer([this] { OnTimer(); })),
      log_(dependencies.clock, kLogInterval, kLinesPerInterval) {}

Pipeline::~Pipeline() {
  const absl::Status status =
      absl::UnavailableError("the Redis store is closing");
  FailAll(queue_, status);
  for (InFlight& one : in_flight_) FailAll(one.script_call->takes(), status);
  dependencies_.refusals.Forget(this);
}

void Pipeline::Add(std::unique_ptr<PendingTake> take) {
  WakeBy(take->answer_by);
  queue_.push_back(std::move(take));
}

void Pipeline::Flush() {
  if (queue_.empty() || !attempted()) return;
  if (!usable()) {
    FailAll(queue_, absl::UnavailableError("Redis cannot be reached"));
    return;
  }
  while (!queue_.empty() && BatchesInFlight() < kMaxInFlight) SendBatch();
  connection_.Flush();
}

// Replies come in the order of the batches, except for script calls that were
// sent again.
size_t Pipeline::BatchesInFlight() const {
  return in_flight_.empty() ? 0 : next_batch_ - in_flight_.front().batch;
}

void Pipeline::SendBatch() {
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                        kMaxBatchTakes, queue_.size()));
  PendingTakes batch(std::make_move_iterator(queue_.begin()),
                     std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  const SteadyTime late_at =
      dependencies_.stream.loop.Now() + dependencies_.command_timeout;
  for (std::unique_ptr<ScriptCall>& script_call :
       MakeScriptCalls(std::move(batch), dependencies_.clock.Now())) {
    in_flight_.push_back({.script_call = std::move(script_call),
                          .late_at = late_at,
                          .batch = next_batch_});
    Send(std::prev(in_flight_.end()));
  }
  ++next_batch_;
  WakeBy(late_at);
}

void Pipeline::Send(ScriptCalls::iterator it) {
  std::string command;
  if (it->script_call->asking()) {
    connection_.Send(Command({"ASKING"}),
                     [](const absl::StatusOr<ReplyView>&) {});
  }
  const ScriptCall& sent = *it->script_call;
  it->sent_again
      ? sent.AppendTo("EVAL", ScriptSource(sent.script()), command)
      : sent.AppendTo("EVALSHA", connection_.sha(sent.script()), command);
  connection_.Send(command, [this, it](const absl::StatusOr<ReplyView>& reply) {
    OnReply(it, reply);
  });
}

void Pipeline::OnReply(ScriptCalls::iterator it,
                       const absl::StatusOr<ReplyView>& reply) {
  if (reply.ok() && reply->error_code() == "NOSCRIPT" && !it->sent_again) {
    // Redis has not run the script, so the script call may be sent again. It is
    // sent once more, with the source text: a server that has just lost its
    // scripts may lose them again at any moment.
    it->sent_again = true;
    Send(it);
    connection_.Flush();
    return;
  }
  const std::unique_ptr<ScriptCall> done = std::move(it->script_call);
  in_flight_.erase(it);
  UpdateUsable();
  Conclude(*done, reply);
  Flush();
}

void Pipeline::Conclude(ScriptCall& script_call,
                        const absl::StatusOr<ReplyView>& reply) {
  if (!reply.ok()) {
    FailAll(script_call.takes(), reply.status());
    return;
  }
  if (reply->is_error()) {
    if (HandledByOwner(script_call, *reply)) return;
    const absl::Status status =
        absl::UnavailableError(absl::StrCat("Redis: ", reply->text()));
    SetRefused(reply->text());
    FailAll(script_call.takes(), status);
    if (IsAmong(kWrongServer, reply->error_code())) connection_.Break(status);
    return;
  }
  const absl::Status read =
      script_call.OnReply(reply->text(), dependencies_.listener);
  if (!read.ok()) {
    FailAll(script_call.takes(), read);
    connection_.Break(read);
    return;
  }
  connection_.Proven();
  if (refused_) {
    refused_ = false;
    dependencies_.refusals.ClearError(this);
  }
  for (std::unique_ptr<PendingTake>& take : script_call.takes()) {
    if (take != nullptr) Add(std::move(take));
  }
}

bool Pipeline::HandledByOwner(ScriptCall& script_call, const ReplyView& error) {
  if (owner_ == nullptr || !IsAmong(kClusterErrors, error.error_code())) {
    return false;
  }
  PendingTakes takes = std::exchange(script_call.takes(), {});
  std::erase(takes, nullptr);
  owner_->OnRefused(*this, std::move(takes), error.text());
  return true;
}

void Pipeline::OnReady() {
  log_.Info(
      absl::StrCat("Redis ", connection_.endpoint().ToString(), ": connected"));
  last_error_.clear();
  dependencies_.refusals.SetBroken(this, "");
  UpdateUsable();
  Flush();
}

void Pipeline::OnBroken(const absl::Status& why) {
  // Log an error once, not for each attempt.
  if (last_error_ != why.message()) log_.Warn(why.message());
  last_error_ = std::string(why.message());
  dependencies_.refusals.SetBroken(this, last_error_);
  attempted_ = true;
  UpdateUsable();
  FailAll(queue_, why);
  if (owner_ != nullptr) owner_->OnChange(*this);
}

void Pipeline::OnMissingRights(absl::string_view commands) {
  if (missing_rights_ == commands) return;
  missing_rights_ = std::string(commands);
  const std::string server =
      absl::StrCat("Redis ", connection_.endpoint().ToString(), ": the user ");
  if (missing_rights_.empty()) {
    log_.Info(absl::StrCat(server, "has all rights again"));
    dependencies_.refusals.SetMissingRights(this, "");
    return;
  }
  const std::string error =
      absl::StrCat(server, "has no right to run ", commands);
  log_.Warn(error);
  dependencies_.refusals.SetMissingRights(this, error);
}

void Pipeline::SetRefused(absl::string_view error) {
  connection_.DoubtRights();
  refused_ = true;
  constexpr size_t kMostText = 200;
  dependencies_.refusals.SetError(
      this, absl::StrCat("Redis ", connection_.endpoint().ToString(),
                         " refuses: ", error.substr(0, kMostText)));
}

void Pipeline::OnTimer() {
  const SteadyTime now = dependencies_.stream.loop.Now();
  wake_at_ = SteadyTime::max();
  ExpireTakes(queue_, now);
  std::erase(queue_, nullptr);
  bool give_up = false;
  for (InFlight& in_flight : in_flight_) {
    ExpireTakes(in_flight.script_call->takes(), now);
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

// The server is late from the moment a reply is overdue until the reply comes.
void Pipeline::UpdateUsable() {
  const SteadyTime now = dependencies_.stream.loop.Now();
  const bool late = std::any_of(
      in_flight_.begin(), in_flight_.end(),
      [now](const InFlight& in_flight) { return in_flight.late_at <= now; });
  const bool usable = connection_.ready() && !late;
  if (usable == usable_.load(std::memory_order_relaxed)) return;
  usable_.store(usable, std::memory_order_relaxed);
  // After usable_: a thread that sees an ended attempt sees its success.
  if (usable) attempted_.store(true, std::memory_order_release);
  if (owner_ != nullptr) owner_->OnChange(*this);
}

}  // namespace rls
