#include "store_redis/enquiry.h"

#include <utility>

namespace rls {
namespace {

// Of one server: address, connection, password, answers. A healthy one takes
// some milliseconds.
constexpr std::chrono::milliseconds kPatience{200};

}  // namespace

Enquiry::Enquiry(const StreamParts& parts, RedisCredentials credentials,
                 std::vector<std::string> questions, Owner& owner)
    : parts_(parts),
      credentials_(std::move(credentials)),
      questions_(std::move(questions)),
      owner_(owner),
      timer_(parts.loop.NewTimer([this] { OnTimer(); })) {}

void Enquiry::Start(std::vector<Endpoint> servers) {
  running_ = false;
  if (session_ != nullptr) {
    session_->End(absl::UnavailableError("another enquiry has begun"));
  }
  servers_ = std::move(servers);
  asked_ = 0;
  running_ = true;
  timer_->Set(parts_.loop.Now());
}

void Enquiry::OnTimer() {
  if (!running_) return;
  if (session_ != nullptr && session_->open()) {
    session_->End(absl::UnavailableError("no answer to a question"));
  } else if (asked_ < servers_.size()) {
    AskNext();
  } else {
    Over(last_error_);
  }
}

void Enquiry::AskNext() {
  session_ = std::make_unique<Session>(parts_, servers_[asked_++],
                                       [this](const absl::Status& why) {
                                         if (!running_) return;
                                         last_error_ = why;
                                         timer_->Set(parts_.loop.Now());
                                       });
  timer_->Set(parts_.loop.Now() + kPatience);
  session_->Authenticate(credentials_);
  for (size_t i = 0; i < questions_.size() && session_->open(); ++i) {
    session_->Send(questions_[i],
                   [this, i](const absl::StatusOr<ReplyView>& reply) {
                     if (reply.ok()) OnReply(i, *reply);
                   });
  }
  session_->Flush();
}

void Enquiry::OnReply(size_t number, const ReplyView& reply) {
  const absl::Status status =
      owner_.OnAnswer(session_->endpoint(), number, reply);
  if (!status.ok()) {
    session_->End(status);
  } else if (number + 1 == questions_.size()) {
    Over(absl::OkStatus());
  }
}

void Enquiry::Over(const absl::Status& status) {
  running_ = false;
  session_->End(absl::UnavailableError("all is answered"));
  owner_.OnOver(status);
}

}  // namespace rls
