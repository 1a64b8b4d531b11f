#include "unit/redis_fixture.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "store_redis/redis_store.h"

namespace rls {
namespace {

// For what a healthy machine does in milliseconds; reached only by a failure.
constexpr std::chrono::seconds kPatience(60);

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

void WaitFor(const std::string& what, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << "never came: " << what;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace rls
