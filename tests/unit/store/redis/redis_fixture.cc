#include "unit/store/redis/redis_fixture.h"

#include <utility>

#include "store/redis/redis_store.h"
#include "support/wait_until.h"

namespace rls {
namespace {

RedisTarget TargetFor(const RedisProcess& redis) {
  Endpoint endpoint;
  if (redis.port() == 0) {
    endpoint.unix_path = redis.socket();
  } else {
    endpoint.host = "127.0.0.1";
    endpoint.port = static_cast<uint16_t>(redis.port());
  }
  RedisTarget target;
  target.endpoints = {endpoint};
  return target;
}

RedisStoreOptions OptionsFor(RedisTarget target,
                             const TestRedisOptions& options) {
  RedisStoreOptions made;
  made.target = std::move(target);
  made.key_prefix = options.key_prefix;
  made.command_timeout = options.command_timeout;
  made.threads = options.threads;
  made.deny_cache_entries = options.deny_cache_entries;
  if (options.per_second != nullptr) {
    made.per_second = TargetFor(*options.per_second);
    made.per_second_timeout = options.per_second_timeout;
  }
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
  bool attempted() const override { return store_->attempted(); }
  std::string not_ready() const override { return store_->not_ready(); }
  Metrics& metrics() override { return *metrics_; }

 private:
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const std::unique_ptr<RedisStore> store_;
};

}  // namespace

std::unique_ptr<TestRedisStore> NewTestRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options) {
  return NewTestRedisStore(TargetFor(redis), clock, options);
}

std::unique_ptr<TestRedisStore> NewTestRedisStore(
    RedisTarget target, const Clock& clock, const TestRedisOptions& options) {
  return std::make_unique<TestRedisStoreImpl>(
      clock, OptionsFor(std::move(target), options));
}

std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    const RedisProcess& redis, const Clock& clock,
    const TestRedisOptions& options) {
  return NewReadyRedisStore(TargetFor(redis), clock, options);
}

std::unique_ptr<TestRedisStore> NewReadyRedisStore(
    RedisTarget target, const Clock& clock, const TestRedisOptions& options) {
  auto store = NewTestRedisStore(std::move(target), clock, options);
  WaitUntil("a store that is ready", [&] { return store->ready(); });
  return store;
}

}  // namespace rls
