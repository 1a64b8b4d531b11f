// Requests and reloads at once, on threads of their own.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/thread_shard.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rules/rule_book.h"
#include "store/memory/memory_store.h"

namespace rls {
namespace {

class LimiterReloadTest : public ::testing::Test {
 protected:
  // The same rule under another limit: all requests pass, one unit each.
  std::weak_ptr<const Domain> Load(int64_t limit) {
    DomainSpec spec{.name = "domain"};
    RuleNode node{.key = "key"};
    node.rule = Rule{.path = "key",
                     .policy = {.limit = limit, .window = absl::Hours(1)}};
    spec.nodes.push_back(std::move(node));
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    book->domains["domain"] = *CompileDomain(std::move(spec), *metrics_);
    std::weak_ptr<const Domain> loaded = book->domains["domain"];
    rules_.Set(std::move(book));
    return loaded;
  }

  // The limit by which the request was decided.
  int64_t Ask() {
    Query query;
    query.domain = "domain";
    query.descriptors.emplace_back().entries.push_back({"key", "value"});
    int64_t limit = 0;
    limiter_->Check(query, [&limit](absl::StatusOr<const Verdict*> verdict) {
      EXPECT_TRUE(verdict.ok() && !(*verdict)->over_limit);
      limit = (*verdict)->statuses[0].policy->limit;
    });
    return limit;
  }

  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const std::unique_ptr<MemoryStore> store_ = NewMemoryStore(*clock_, {});
  LoopThreads loops_{1};  // looks for requests to recall
  RuleBookHolder rules_;
  const std::unique_ptr<Limiter> limiter_ = NewLimiter({.rules = rules_,
                                                        .loop = loops_[0],
                                                        .store = *store_,
                                                        .local_store = *store_,
                                                        .clock = *clock_,
                                                        .metrics = *metrics_});
};

TEST_F(LimiterReloadTest, RequestsAreDecidedByTheRulesOfTheirTime) {
  constexpr int64_t kFirst = 1'000'000'000;
  constexpr int64_t kReloads = 300;
  loops_.Start();
  Load(kFirst);
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 1 + ShardCount(); ++i) {
    threads.emplace_back([&] {
      ClaimShard();
      int64_t last = kFirst;
      while (!stop) {
        const int64_t limit = Ask();
        EXPECT_GE(limit, last);
        last = limit;
      }
    });
  }
  std::vector<std::weak_ptr<const Domain>> replaced;
  for (int64_t reload = 1; reload <= kReloads; ++reload) {
    replaced.push_back(Load(kFirst + reload));
    EXPECT_EQ(Ask(), kFirst + reload);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  loops_.Stop();  // Every recall of a reload is over.
  EXPECT_FALSE(replaced.back().expired());
  replaced.pop_back();
  for (const auto& domain : replaced) EXPECT_TRUE(domain.expired());
}

}  // namespace
}  // namespace rls
