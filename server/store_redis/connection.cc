#include "store_redis/connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using std::chrono::milliseconds;

// Until a connection serves: place, address, connect, TLS, password, scripts.
constexpr milliseconds kAttemptTimeout{500};
// Pauses between attempts double up to the longest; half of each is chance.
// With one attempt they stay below a second: who is back is found that fast.
constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{300};
// Between questions whether the master is still one.
constexpr milliseconds kBeat{1000};

}  // namespace

Connection::Connection(const StreamParts& parts, RedisAccess access,
                       EndpointSource& source, Owner& owner)
    : parts_(parts),
      access_(std::move(access)),
      source_(source),
      owner_(owner),
      timer_(parts.loop.NewTimer([this] { OnTimer(); })) {}

void Connection::Open() {
  state_ = State::kFinding;
  timer_->Set(parts_.loop.Now() + kAttemptTimeout);
  source_.Find(
      [this](absl::StatusOr<Endpoint> found) { OnFound(std::move(found)); });
}

void Connection::OnTimer() {
  switch (state_) {
    case State::kResting:
      Open();
      return;
    case State::kFinding:
    case State::kConnecting:
      Break(absl::UnavailableError("no answer while connecting"));
      return;
    case State::kReady:
      Beat();
      return;
  }
}

void Connection::OnFound(absl::StatusOr<Endpoint> found) {
  if (state_ == State::kReady && found.ok() && *found != endpoint_) {
    Break(absl::UnavailableError(
        absl::StrCat("the master is ", found->ToString(), " now")));
  }
  if (state_ != State::kFinding) return;
  if (!found.ok()) {
    Break(found.status());
    return;
  }
  state_ = State::kConnecting;
  endpoint_ = *std::move(found);
  session_ = std::make_unique<Session>(
      parts_, endpoint_, [this](const absl::Status& why) { OnEnded(why); });
  Introduce();
}

void Connection::Introduce() {
  session_->Authenticate(access_.credentials);
  if (!session_->open()) return;
  if (access_.database != 0) {
    session_->Require(
        Command({"SELECT", absl::AlphaNum(access_.database).Piece()}),
        [](const ReplyView&) {});
  }
  session_->Require(Command({"HELLO"}),
                    [this](const ReplyView& hello) { CheckRole(hello); });
  for (int i = 0; i < kScripts; ++i) {
    session_->Require(
        Command({"SCRIPT", "LOAD", ScriptSource(static_cast<Script>(i))}),
        [this, i](const ReplyView& reply) {
          shas_[static_cast<size_t>(i)] = std::string(reply.text());
          if (i == kScripts - 1) BecomeReady();
        });
  }
  session_->Flush();
}

void Connection::CheckRole(const ReplyView& hello) {
  const absl::string_view role = hello.Field("role");
  if (role == "master") return;
  Break(
      absl::UnavailableError(absl::StrCat("not a master but \"", role, "\"")));
}

void Connection::BecomeReady() {
  state_ = State::kReady;
  beat_answered_ = true;
  timer_->Set(parts_.loop.Now() + kBeat);
  owner_.OnReady();
}

// An old master may go on without knowing of the new one.
void Connection::Beat() {
  if (!beat_answered_) {
    Break(absl::UnavailableError("no answer"));
    return;
  }
  beat_answered_ = false;
  timer_->Set(parts_.loop.Now() + kBeat);
  session_->Require(Command({"HELLO"}), [this](const ReplyView& hello) {
    beat_answered_ = true;
    CheckRole(hello);
  });
  session_->Flush();
  source_.Find(
      [this](absl::StatusOr<Endpoint> found) { OnFound(std::move(found)); });
}

void Connection::Break(const absl::Status& why) {
  if (session_ != nullptr && session_->open()) {
    session_->End(why);
  } else if (state_ == State::kFinding) {
    OnEnded(absl::UnavailableError(
        absl::StrCat("where the master is: ", why.message())));
  }
}

void Connection::OnEnded(const absl::Status& why) {
  const milliseconds longest =
      std::min(kLongestPause, kFirstPause * (1 << std::min(failures_, 10)));
  ++failures_;
  std::uniform_int_distribution<int64_t> part(longest.count() / 2,
                                              longest.count());
  state_ = State::kResting;
  timer_->Set(parts_.loop.Now() + milliseconds(part(random_)));
  owner_.OnBroken(why);
}

}  // namespace rls
