#include "redis/naive_store.h"

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "store_redis/key_text.h"
#include "store_redis/reply.h"
#include "store_redis/session.h"

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
  explicit NaiveStore(const RedisStoreOptions& options)
      : key_text_("", ""),
        loop_(NewEventLoop()),
        resolver_(NewResolver()),
        session_({.loop = *loop_, .resolver = *resolver_},
                 options.target.endpoints[0],
                 [this](const absl::Status&) { ready_ = false; }) {
    std::string load;
    AppendCommand({"SCRIPT", "LOAD", kScript}, load);
    session_.Require(load, [this](const ReplyView& reply) {
      sha_ = std::string(reply.text());
      ready_ = true;
    });
    session_.Flush();
    thread_ = std::thread([this] { loop_->Run(); });
  }

  ~NaiveStore() override {
    loop_->Stop();
    thread_.join();
  }

  void Take(absl::Span<const Charge> charges, Accounting, absl::Time,
            TakeCallback done) override {
    loop_->Post([this, charges, done = std::move(done)]() mutable {
      Send(charges, std::move(done));
    });
  }

  bool ready() const override { return ready_; }

 private:
  struct Waiting {
    TakeCallback done;
    std::vector<Outcome> outcomes;
    size_t left = 0;
  };

  void Send(absl::Span<const Charge> charges, TakeCallback done) {
    auto waiting = std::make_shared<Waiting>();
    waiting->done = std::move(done);
    waiting->outcomes.resize(charges.size());
    waiting->left = charges.size();
    for (const Charge& charge : charges) {
      std::string command;
      AppendCommand(
          {"EVALSHA", sha_, "1", key_text_.Write(charge.key),
           absl::StrCat(charge.cost), absl::StrCat(charge.policy->limit),
           absl::StrCat(absl::ToInt64Milliseconds(charge.policy->window))},
          command);
      session_.Send(command, [waiting](const absl::StatusOr<ReplyView>&) {
        if (--waiting->left == 0) {
          waiting->done(absl::MakeConstSpan(waiting->outcomes));
        }
      });
      session_.Flush();
    }
  }

  const KeyText key_text_;
  const std::unique_ptr<EventLoop> loop_;
  const std::unique_ptr<Resolver> resolver_;
  std::string sha_;
  std::atomic<bool> ready_{false};
  Session session_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RedisStore> NewNaiveStore(const RedisStoreOptions& options) {
  return std::make_unique<NaiveStore>(options);
}

}  // namespace rls
