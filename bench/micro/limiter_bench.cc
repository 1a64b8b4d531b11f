#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "benchmark/benchmark.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "rules/rule_book.h"
#include "store/memory/memory_store.h"

namespace rls {
namespace {

// The limiter with the memory store, wired as in the server.
class Bed {
 public:
  explicit Bed(std::vector<RuleNode> nodes) {
    auto domain =
        CompileDomain({.name = "bench", .nodes = std::move(nodes)}, *metrics_);
    if (!domain.ok()) std::abort();
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    book->domains["bench"] = *std::move(domain);
    rules_.Set(std::move(book));
  }

  // Checks a request with one descriptor of one entry.
  bool Passes(absl::string_view key, absl::string_view value) {
    Query query;
    query.domain = "bench";
    query.descriptors.emplace_back();
    query.descriptors[0].entries.push_back({key, value});
    bool passes = false;
    limiter_->Check(query, [&passes](absl::StatusOr<const Verdict*> verdict) {
      passes = verdict.ok() && !(*verdict)->over_limit;
    });
    return passes;
  }

 private:
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_ = NewMetrics();
  const std::unique_ptr<MemoryStore> store_ =
      NewMemoryStore(*clock_, {.seed = RandomSeed()});
  RuleBookHolder rules_;
  const std::unique_ptr<EventLoop> loop_ = NewEventLoop();  // unused
  const std::unique_ptr<Limiter> limiter_ = NewLimiter({.rules = rules_,
                                                        .loop = *loop_,
                                                        .store = *store_,
                                                        .local_store = *store_,
                                                        .clock = *clock_,
                                                        .metrics = *metrics_});
};

RuleNode Node(std::string value, int64_t limit) {
  RuleNode node{.key = "user_id", .value = std::move(value)};
  node.rule = Rule{.path = absl::StrCat("user_id_", node.value),
                   .policy = {.limit = limit, .window = absl::Hours(1)}};
  return node;
}

// Writes "user-<number>" over `name`.
absl::string_view User(int64_t number, std::string& name) {
  name = "user-";
  absl::StrAppend(&name, number);
  return name;
}

// Checks requests of users that each have a counter, with a stride that defeats
// the CPU caches, like real traffic. Writes each name anew: the name in a real
// request has just come from the wire and is in the cache.
void CheckAll(benchmark::State& bench, Bed& bed, int64_t users) {
  std::string name;
  for (int64_t i = 0; i < users; ++i) bed.Passes("user_id", User(i, name));
  int64_t next = 0;
  for (auto _ : bench) {
    next = (next + 611'953) % users;
    benchmark::DoNotOptimize(bed.Passes("user_id", User(next, name)));
  }
  bench.SetItemsProcessed(bench.iterations());
}

void OneDescriptor(benchmark::State& bench, int64_t limit) {
  Bed bed({Node("", limit)});
  CheckAll(bench, bed, 1);
}
BENCHMARK_CAPTURE(OneDescriptor, allowed, kMaxAmount);
BENCHMARK_CAPTURE(OneDescriptor, refused, 0);

// One rule for each user.
void Rules(benchmark::State& bench) {
  std::vector<RuleNode> nodes;
  std::string name;
  for (int64_t i = 0; i < bench.range(0); ++i) {
    nodes.push_back(Node(std::string(User(i, name)), kMaxAmount));
  }
  Bed bed(std::move(nodes));
  CheckAll(bench, bed, bench.range(0));
}
BENCHMARK(Rules)->Arg(10)->Arg(1'000)->Arg(100'000);

// A million users of one rule, beside many unused rules: the cost of the number
// of rules alone.
void AMillionUsersBesideRules(benchmark::State& bench) {
  std::vector<RuleNode> nodes = {Node("", kMaxAmount)};
  for (int64_t i = 0; i < bench.range(0); ++i) {
    nodes.push_back(Node(absl::StrCat("tenant-", i), kMaxAmount));
  }
  Bed bed(std::move(nodes));
  CheckAll(bench, bed, 1'000'000);
}
BENCHMARK(AMillionUsersBesideRules)->Arg(0)->Arg(100'000);

// A value of 63 KB that begins all pieces of these patterns and has none.
void StarRules(benchmark::State& bench) {
  std::vector<RuleNode> nodes;
  for (int64_t i = 0; i < bench.range(0); ++i) {
    nodes.push_back(Node(absl::StrCat("*/aa", i, "/*"), kMaxAmount));
  }
  Bed bed(std::move(nodes));
  std::string value;
  while (value.size() < size_t{63} << 10) value += "/aa";
  for (auto _ : bench) {
    benchmark::DoNotOptimize(bed.Passes("user_id", value));
  }
  bench.SetBytesProcessed(bench.iterations() *
                          static_cast<int64_t>(value.size()));
}
BENCHMARK(StarRules)->Arg(0)->Arg(1)->Arg(100)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace rls
