#include "store/redis/discovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

// The time limit for one server: resolve, connect, password, replies. A healthy
// server needs a few milliseconds.
constexpr std::chrono::milliseconds kServerTimeout{200};

class ConstantSource final : public EndpointSource {
 public:
  explicit ConstantSource(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  void Find(FoundCallback done) override { done(endpoint_); }

 private:
  const Endpoint endpoint_;
};

std::vector<std::string> SentinelCommands(absl::string_view master_name) {
  return {Command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name}),
          Command({"SENTINEL", "MASTER", master_name})};
}

class SentinelSource final : public EndpointSource, private Enquiry::Owner {
 public:
  SentinelSource(const StreamDependencies& parts, SentinelOptions options)
      : options_(std::move(options)),
        enquiry_(parts, options_.credentials,
                 SentinelCommands(options_.master_name), *this) {}

  void Find(FoundCallback done) override {
    done_ = std::move(done);
    std::vector<Endpoint> sentinels = options_.sentinels;
    const size_t first = turn_++ % sentinels.size();
    std::rotate(sentinels.begin(),
                sentinels.begin() + static_cast<std::ptrdiff_t>(first),
                sentinels.end());
    enquiry_.Start(std::move(sentinels));
  }

 private:
  absl::Status OnReply(const Endpoint&, size_t number,
                       const ReplyView& reply) override {
    if (reply.is_error()) return absl::UnavailableError(reply.text());
    return number == 0 ? ReadAddress(reply) : ReadEpoch(reply);
  }

  absl::Status ReadAddress(const ReplyView& reply) {
    uint32_t port = 0;
    if (reply.size() != 2 || !absl::SimpleAtoi(reply[1].text(), &port) ||
        port == 0 || port > UINT16_MAX) {
      return absl::UnavailableError(
          absl::StrCat("does not know the master ", options_.master_name));
    }
    master_ = {.host = std::string(reply[0].text()),
               .port = static_cast<uint16_t>(port)};
    return absl::OkStatus();
  }

  // Each failover has an epoch number, higher than the number before.
  absl::Status ReadEpoch(const ReplyView& reply) {
    int64_t epoch = 0;
    if (!absl::SimpleAtoi(reply.Field("config-epoch"), &epoch)) {
      return absl::UnavailableError("gives no config-epoch");
    }
    if (epoch < newest_epoch_) {
      return absl::UnavailableError("has missed a failover");
    }
    newest_epoch_ = epoch;
    return absl::OkStatus();
  }

  void OnOver(const absl::Status& status) override {
    FoundCallback done = std::move(done_);
    if (status.ok()) {
      done(master_);
    } else {
      // The sentinels may have been reinstalled: their epochs begin at 0 again.
      newest_epoch_ = 0;
      done(status);
    }
  }

  const SentinelOptions options_;
  size_t turn_ = 0;
  Endpoint master_;
  int64_t newest_epoch_ = 0;
  FoundCallback done_;
  Enquiry enquiry_;
};

}  // namespace

std::unique_ptr<EndpointSource> NewConstantSource(Endpoint endpoint) {
  return std::make_unique<ConstantSource>(std::move(endpoint));
}

std::unique_ptr<EndpointSource> NewSentinelSource(
    const StreamDependencies& parts, SentinelOptions options) {
  return std::make_unique<SentinelSource>(parts, std::move(options));
}

Enquiry::Enquiry(const StreamDependencies& parts, RedisCredentials credentials,
                 std::vector<std::string> commands, Owner& owner)
    : parts_(parts),
      credentials_(std::move(credentials)),
      commands_(std::move(commands)),
      owner_(owner),
      timer_(parts.loop.NewTimer([this] { OnTimer(); })) {}

void Enquiry::Start(std::vector<Endpoint> servers) {
  running_ = false;
  if (session_ != nullptr) {
    session_->End(absl::UnavailableError("replaced by another enquiry"));
  }
  servers_ = std::move(servers);
  tried_ = 0;
  running_ = true;
  timer_->Set(parts_.loop.Now());
}

void Enquiry::OnTimer() {
  if (!running_) return;
  if (session_ != nullptr && session_->open()) {
    session_->End(absl::UnavailableError("no reply in time"));
  } else if (tried_ < servers_.size()) {
    TryNextServer();
  } else {
    Over(last_error_);
  }
}

void Enquiry::TryNextServer() {
  session_ = std::make_unique<Session>(parts_, servers_[tried_++],
                                       [this](const absl::Status& why) {
                                         if (!running_) return;
                                         last_error_ = why;
                                         timer_->Set(parts_.loop.Now());
                                       });
  timer_->Set(parts_.loop.Now() + kServerTimeout);
  session_->Authenticate(credentials_);
  for (size_t i = 0; i < commands_.size() && session_->open(); ++i) {
    session_->Send(commands_[i],
                   [this, i](const absl::StatusOr<ReplyView>& reply) {
                     if (reply.ok()) OnReply(i, *reply);
                   });
  }
  session_->Flush();
}

void Enquiry::OnReply(size_t number, const ReplyView& reply) {
  const absl::Status status =
      owner_.OnReply(session_->endpoint(), number, reply);
  if (!status.ok()) {
    session_->End(status);
  } else if (number + 1 == commands_.size()) {
    Over(absl::OkStatus());
  }
}

void Enquiry::Over(const absl::Status& status) {
  running_ = false;
  session_->End(absl::UnavailableError("the enquiry is complete"));
  owner_.OnOver(status);
}

}  // namespace rls
