#include "store_redis/session.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rls {

Session::Session(const StreamParts& parts, Endpoint endpoint, EndCallback ended)
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
  // A callback may have ended it.
  while (stream_ != nullptr) {
    const absl::StatusOr<ReplyReader::Owned> reply = reader_.Next();
    if (!reply.ok()) {
      End(reply.status());
      return;
    }
    if (*reply == nullptr) return;
    if (waiting_.empty()) {
      End(absl::UnavailableError("a reply that nobody asked for"));
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

// A stream names its peer itself.
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

}  // namespace rls
