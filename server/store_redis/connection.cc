#include "store_redis/connection.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

using std::chrono::milliseconds;

// Until a connection serves: address, connect, TLS, password, scripts.
constexpr milliseconds kAttemptTimeout{500};
// Pauses between attempts double up to the longest; half of each is chance.
// With one attempt they stay below a second: who is back is found that fast.
constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{300};

}  // namespace

Connection::Connection(const StreamParts& parts, RedisServer server,
                       Owner& owner)
    : parts_(parts),
      server_(std::move(server)),
      owner_(owner),
      timer_(parts.loop.NewTimer([this] {
        if (resting_) {
          Open();
        } else {
          Break(absl::UnavailableError("no answer while connecting"));
        }
      })) {}

Connection::~Connection() = default;

void Connection::Open() {
  resting_ = false;
  reader_.emplace();
  timer_->Set(parts_.loop.Now() + kAttemptTimeout);
  stream_ = Connect(parts_, server_.endpoint, *this);
}

void Connection::OnConnected() { Introduce(); }

void Connection::Introduce() {
  const absl::StatusOr<std::string> password =
      server_.credentials.CurrentPassword();
  if (!password.ok()) {
    Break(absl::UnavailableError(password.status().message()));
    return;
  }
  std::string command;
  const auto add = [&](const std::vector<absl::string_view>& words,
                       absl::AnyInvocable<void(const ReplyView&)> ok) {
    command.clear();
    AppendCommand(words, command);
    Expect(command, std::move(ok));
  };
  if (!password->empty()) {
    std::vector<absl::string_view> words = {"AUTH", *password};
    const std::string& user = server_.credentials.user;
    if (!user.empty()) words.insert(words.begin() + 1, user);
    add(words, [](const ReplyView&) {});
  }
  if (server_.database != 0) {
    add({"SELECT", absl::StrCat(server_.database)}, [](const ReplyView&) {});
  }
  for (int i = 0; i < kScripts; ++i) {
    add({"SCRIPT", "LOAD", ScriptSource(static_cast<Script>(i))},
        [this, i](const ReplyView& reply) {
          shas_[static_cast<size_t>(i)] = std::string(reply.text());
          if (i == kScripts - 1) BecomeReady();
        });
  }
  Flush();
}

// A step of the introduction: any error ends the attempt.
void Connection::Expect(absl::string_view command,
                        absl::AnyInvocable<void(const ReplyView&)> ok) {
  Send(command, [this, ok = std::move(ok)](
                    const absl::StatusOr<ReplyView>& reply) mutable {
    if (!reply.ok()) return;
    if (reply->is_error()) {
      Break(absl::UnavailableError(reply->text()));
    } else {
      ok(*reply);
    }
  });
}

void Connection::BecomeReady() {
  timer_->Cancel();
  failures_ = 0;
  ready_ = true;
  owner_.OnReady();
}

void Connection::Send(absl::string_view command, ReplyCallback done) {
  unsent_.append(command.data(), command.size());
  waiting_.push_back(std::move(done));
}

void Connection::Flush() {
  if (unsent_.empty() || stream_ == nullptr) return;
  stream_->Write(unsent_);
  unsent_.clear();
}

void Connection::OnBytes(absl::string_view bytes) {
  reader_->Feed(bytes);
  // A callback may have broken the connection.
  while (stream_ != nullptr) {
    const absl::StatusOr<ReplyReader::Owned> reply = reader_->Next();
    if (!reply.ok()) {
      Break(reply.status());
      return;
    }
    if (*reply == nullptr) return;
    if (waiting_.empty()) {
      Break(absl::UnavailableError("a reply that nobody asked for"));
      return;
    }
    ReplyCallback done = std::move(waiting_.front());
    waiting_.pop_front();
    done(ReplyView(reply->get()));
  }
}

void Connection::OnClosed(const absl::Status& why) { Break(why); }

void Connection::Break(const absl::Status& why) {
  if (stream_ == nullptr) return;
  stream_.reset();
  unsent_.clear();
  ready_ = false;
  const absl::Status status = absl::UnavailableError(
      absl::StrCat("Redis ", server_.endpoint.ToString(), ": ", why.message()));
  for (ReplyCallback& done : std::exchange(waiting_, {})) done(status);
  RetryLater();
  owner_.OnBroken(status);
}

void Connection::RetryLater() {
  const milliseconds longest =
      std::min(kLongestPause, kFirstPause * (1 << std::min(failures_, 10)));
  ++failures_;
  std::uniform_int_distribution<int64_t> part(longest.count() / 2,
                                              longest.count());
  resting_ = true;
  timer_->Set(parts_.loop.Now() + milliseconds(part(random_)));
}

}  // namespace rls
