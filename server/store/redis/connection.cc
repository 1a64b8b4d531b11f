#include "store/redis/connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "store/redis/script_sources.h"

namespace rls {
namespace {

using std::chrono::milliseconds;

// The time limit of an attempt: find the master, resolve its address, connect,
// TLS, password, scripts.
constexpr milliseconds kAttemptTimeout{500};
// The pause between attempts doubles from the first to the longest. The upper
// half of a pause is random. The longest pause and one attempt together take
// less than a second, so a server that is back is found within a second.
constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{300};
// The interval of the checks whether the server is still the master.
constexpr milliseconds kBeat{1000};

}  // namespace

Session::Session(const StreamDependencies& parts, Endpoint endpoint,
                 EndCallback ended)
    : endpoint_(std::move(endpoint)),
      ended_(std::move(ended)),
      stream_(Connect(parts, endpoint_, *this)) {}

void Session::Send(absl::string_view command, ReplyCallback done) {
  unsent_.append(command.data(), command.size());
  waiting_.push_back(std::move(done));
}

void Session::Require(absl::string_view command,
                      absl::AnyInvocable<void(const ReplyView&)> ok) {
  Send(command, [this, ok = std::move(ok)](
                    const absl::StatusOr<ReplyView>& reply) mutable {
    if (!reply.ok()) return;
    if (reply->is_error()) {
      End(absl::UnavailableError(reply->text()));
    } else {
      ok(*reply);
    }
  });
}

void Session::Authenticate(const RedisCredentials& credentials) {
  const absl::StatusOr<std::string> password = credentials.CurrentPassword();
  if (!password.ok()) {
    End(password.status());
    return;
  }
  if (password->empty()) return;
  std::vector<absl::string_view> words = {"AUTH", *password};
  if (!credentials.user.empty()) {
    words.insert(words.begin() + 1, credentials.user);
  }
  Require(Command(words), [](const ReplyView&) {});
}

void Session::Flush() {
  if (unsent_.empty() || stream_ == nullptr) return;
  stream_->Write(unsent_);
  unsent_.clear();
}

void Session::OnBytes(absl::string_view bytes) {
  reader_.Feed(bytes);
  // A callback may end the session.
  while (stream_ != nullptr) {
    const absl::StatusOr<ReplyReader::Owned> reply = reader_.Next();
    if (!reply.ok()) {
      End(reply.status());
      return;
    }
    if (*reply == nullptr) return;
    if (waiting_.empty()) {
      End(absl::UnavailableError("a reply without a command"));
      return;
    }
    ReplyCallback done = std::move(waiting_.front());
    waiting_.pop_front();
    done(ReplyView(reply->get()));
  }
}

void Session::End(const absl::Status& why) {
  Close(absl::StrCat("Redis ", endpoint_.ToString(), ": ", why.message()));
}

// The stream's message already names the server.
void Session::OnClosed(const absl::Status& why) {
  Close(absl::StrCat("Redis ", why.message()));
}

void Session::Close(const std::string& why) {
  if (stream_ == nullptr) return;
  stream_.reset();
  unsent_.clear();
  const absl::Status status = absl::UnavailableError(why);
  std::deque<ReplyCallback> waiting = std::exchange(waiting_, {});
  ended_(status);
  for (ReplyCallback& done : waiting) done(status);
}

Connection::Connection(const StreamDependencies& parts, RedisAccess access,
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
  Prepare();
}

void Connection::Prepare() {
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
  AskRights();
  session_->Flush();
}

void Connection::CheckRole(const ReplyView& hello) {
  const absl::string_view role = hello.Field("role");
  if (role == "master") return;
  Break(absl::UnavailableError(
      absl::StrCat("not a master: its role is \"", role, "\"")));
}

void Connection::BecomeReady() {
  state_ = State::kReady;
  beat_answered_ = true;
  timer_->Set(parts_.loop.Now() + kBeat);
  owner_.OnReady();
}

void Connection::AskRights() {
  doubts_rights_ = false;
  session_->Send(
      Command({"EVAL", kRightsLua, "0", access_.key_prefix}),
      [this](const absl::StatusOr<ReplyView>& reply) { OnRights(reply); });
}

// Another error than the missing right to ask says nothing about the rights.
void Connection::OnRights(const absl::StatusOr<ReplyView>& reply) {
  if (!reply.ok() || state_ != State::kReady) return;
  if (reply->is_error() && reply->error_code() != "NOPERM") return;
  const absl::string_view missing = reply->is_error() ? "eval" : reply->text();
  // The rights may be granted later.
  if (!missing.empty()) DoubtRights();
  owner_.OnMissingRights(missing);
}

// Also looks the master up: a master that was replaced may not know it.
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
  if (doubts_rights_) AskRights();
  session_->Flush();
  source_.Find(
      [this](absl::StatusOr<Endpoint> found) { OnFound(std::move(found)); });
}

void Connection::Break(const absl::Status& why) {
  if (session_ != nullptr && session_->open()) {
    session_->End(why);
  } else if (state_ == State::kFinding) {
    OnEnded(absl::UnavailableError(
        absl::StrCat("cannot find the master: ", why.message())));
  }
}

void Connection::OnEnded(const absl::Status& why) {
  const milliseconds longest =
      std::min(kLongestPause, kFirstPause * (1 << std::min(failures_, 10)));
  ++failures_;
  std::uniform_int_distribution<int64_t> pause(longest.count() / 2,
                                               longest.count());
  state_ = State::kResting;
  timer_->Set(parts_.loop.Now() + milliseconds(pause(random_)));
  owner_.OnBroken(why);
}

}  // namespace rls
