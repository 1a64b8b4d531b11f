#include "redis/naive_store.h"

#include <atomic>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "store/redis/connection.h"
#include "store/redis/key_text.h"
#include "store/redis/reply.h"

namespace rls {
namespace {

constexpr absl::string_view kScript = R"(
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used == tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
if used > tonumber(ARGV[2]) then
  redis.call('DECRBY', KEYS[1], ARGV[1])
end
return used)";

class NaiveStore final : public RedisStore {
 public:
  NaiveStore(const RedisStoreOptions& options, int connections)
      : key_text_("", ""),
        is_pool_(connections > 1),
        loop_(NewEventLoop()),
        resolver_(NewResolver()) {
    const std::string load = Command({"SCRIPT", "LOAD", kScript});
    for (int i = 0; i < connections; ++i) {
      Session* session =
          sessions_
              .emplace_back(std::make_unique<Session>(
                  StreamDependencies{.loop = *loop_, .resolver = *resolver_},
                  options.target.endpoints[0], [](const absl::Status&) {}))
              .get();
      session->Require(load, [this, session](const ReplyView& reply) {
        sha_ = std::string(reply.text());
        idle_.push_back(session);
        ready_ = idle_.size() == sessions_.size();
      });
      session->Flush();
    }
    thread_ = std::thread([this] { loop_->Run(); });
  }

  ~NaiveStore() override {
    loop_->Stop();
    thread_.join();
  }

  void Take(absl::Span<const Charge> charges, Accounting, absl::Time,
            TakeCallback done) override {
    loop_->Post([this, charges, done = std::move(done)]() mutable {
      Queue(charges, std::move(done));
      SendQueued();
    });
  }

  bool ready() const override { return ready_; }
  bool attempted() const override { return ready_; }
  std::string not_ready() const override { return ""; }

 private:
  struct Waiting {
    TakeCallback done;
    std::vector<Outcome> outcomes;
    size_t left = 0;
  };
  struct QueuedCommand {
    std::string command;
    std::shared_ptr<Waiting> waiting;
  };

  void Queue(absl::Span<const Charge> charges, TakeCallback done) {
    auto waiting = std::make_shared<Waiting>();
    waiting->done = std::move(done);
    waiting->outcomes.resize(charges.size());
    waiting->left = charges.size();
    for (const Charge& charge : charges) {
      QueuedCommand& queued = queue_.emplace_back();
      queued.waiting = waiting;
      queued.command = Command(
          {"EVALSHA", sha_, "1", key_text_.Write(charge.key),
           absl::StrCat(charge.cost), absl::StrCat(charge.policy->limit),
           absl::StrCat(absl::ToInt64Milliseconds(charge.policy->window))});
    }
  }

  void SendQueued() {
    while (!queue_.empty() && !idle_.empty()) {
      Session* session = idle_.back();
      if (is_pool_) idle_.pop_back();
      const QueuedCommand queued = std::move(queue_.front());
      queue_.pop_front();
      session->Send(queued.command, [this, session, waiting = queued.waiting](
                                        const absl::StatusOr<ReplyView>&) {
        if (is_pool_) idle_.push_back(session);
        if (--waiting->left == 0) {
          waiting->done(absl::MakeConstSpan(waiting->outcomes));
        }
        SendQueued();
      });
      session->Flush();
    }
  }

  const KeyText key_text_;
  const bool is_pool_;
  const std::unique_ptr<EventLoop> loop_;
  const std::unique_ptr<Resolver> resolver_;
  std::string sha_;
  std::deque<QueuedCommand> queue_;
  std::vector<Session*> idle_;
  std::atomic<bool> ready_{false};
  std::vector<std::unique_ptr<Session>> sessions_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RedisStore> NewNaiveStore(const RedisStoreOptions& options,
                                          int connections) {
  return std::make_unique<NaiveStore>(options, connections);
}

}  // namespace rls
