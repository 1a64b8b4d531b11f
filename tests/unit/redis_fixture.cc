#include "unit/redis_fixture.h"

#include <utility>

#include "store_redis/redis_store.h"
#include "support/wait_until.h"

namespace rls {
namespace {

RedisStoreOptions OptionsFor(const RedisProcess& redis,
                             const TestRedisOptions& options) {
  RedisStoreOptions made;
  Endpoint endpoint;
  if (redis.port() == 0) {
    endpoint.unix_path = redis.socket();
  } else {
    endpoint.host = "127.0.0.1";
    endpoint.port = static_cast<uint16_t>(redis.port());
  }
  made.target.endpoints = {endpoint};
  made.key_prefix = options.key_prefix;
  made.command_timeout = options.command_timeout;
  made.threads = options.threads;
  made.deny_cache_entries = options.deny_cache_entries;
  return made;
}

class TestRedisStoreImpl final : public TestRedisStore {
 public:
  TestRedisStoreImpl(const Clock& clock, const RedisStoreOptions& options)
      : store_(*NewRedisStore(options, clock, *metrics_)) {}

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    store_->Take(charges, accounting, deadline, std::move(done));
  }
  bool ready() const override { return store_->ready(); }
  Metrics& metrics() override { return *metrics_; }

 private:
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const std::unique_ptr<RedisStore> store_;
};

}  // namespace

std::unique_ptr<TestRedisStore> NewTestRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options) {
  return std::make_unique<TestRedisStoreImpl>(clock,
                                              OptionsFor(redis, options));
}

std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options) {
  auto store = NewTestRedisStore(redis, clock, options);
  WaitUntil("a store that is ready", [&] { return store->ready(); });
  return store;
}

}  // namespace rls
