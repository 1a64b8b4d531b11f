// Tests that a common request on a warm server makes no allocation.

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "limiter/limiter.h"
#include "metrics/metrics.h"
#include "net/event_loop.h"
#include "rpc/handler.h"
#include "rpc/lean/lean_server.h"
#include "rpc/wire.h"
#include "rules/rule_book.h"
#include "store/memory/memory_store.h"
#include "trace/tracer.h"
#include "unit/app/allocations.h"
#include "unit/rpc/lean/h2_frames.h"
#include "unit/rpc/raw_client.h"

namespace rls {
namespace {

constexpr int kCalls = 1'000;

// Warms up first: after kCalls calls, lists and buffers have their final size.
template <typename Call>
void ExpectNoAllocations(const Call& call) {
  for (int i = 0; i < kCalls; ++i) call();
  const Allocations allocations;
  for (int i = 0; i < kCalls; ++i) call();
  EXPECT_EQ(allocations.count(), 0u) << allocations.Places();
}

// The limiter and the modules above it, over the memory store, with one default
// limit for each of the keys k0, k1, ...
class AllocationTest : public ::testing::Test {
 protected:
  explicit AllocationTest(std::unique_ptr<Statistics> statistics = nullptr)
      : metrics_(NewMetrics(std::move(statistics))) {
    DomainSpec spec{.name = "domain"};
    for (int i = 0; i < kKeys; ++i) {
      RuleNode node{.key = absl::StrCat("k", i)};
      node.rule = Rule{.path = node.key, .policy = {.limit = 1'000'000'000}};
      spec.nodes.push_back(std::move(node));
    }
    RuleNode starred{.key = "starred", .value = "/a*/b/*c"};
    starred.rule = Rule{.path = "starred", .policy = {.limit = 1'000'000'000}};
    spec.nodes.push_back(std::move(starred));
    RuleNode named{.key = "named"};
    named.value_to_metric = true;
    named.rule = Rule{.path = "named", .policy = {.limit = 1'000'000'000}};
    spec.nodes.push_back(std::move(named));
    spec.nodes[kRefused].rule->policy.limit = 0;
    spec.nodes[kRefused].rule->message = "Too many requests for now.";
    auto domain = CompileDomain(std::move(spec), *metrics_);
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    book->domains["domain"] = *std::move(domain);
    rules_.Set(std::move(book));
  }

  // A serialized RateLimitRequest with one descriptor for each key.
  static std::string RequestOf(const std::vector<std::string>& keys) {
    std::string request;
    WireWriter(request).Bytes(1, "domain");
    for (const std::string& key : keys) {
      std::string entry;
      WireWriter(entry).Bytes(1, key);
      WireWriter(entry).Bytes(2, "a value of some length, as users have");
      std::string descriptor;
      WireWriter(descriptor).Bytes(1, entry);
      WireWriter(request).Bytes(2, descriptor);
    }
    return request;
  }

  // A request with this number of descriptors, each with its own limit.
  static std::string Request(int descriptors) {
    std::vector<std::string> keys;
    for (int i = 0; i < descriptors; ++i) keys.push_back(absl::StrCat("k", i));
    return RequestOf(keys);
  }

  static constexpr int kKeys = 8;
  static constexpr int kRefused = 7;

  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  const std::unique_ptr<Metrics> metrics_;
  const std::unique_ptr<MemoryStore> store_ = NewMemoryStore(*clock_, {});
  const std::unique_ptr<EventLoop> loop_ = NewEventLoop();  // not running
  RuleBookHolder rules_;
  const std::unique_ptr<Limiter> limiter_ = NewLimiter({.rules = rules_,
                                                        .loop = *loop_,
                                                        .store = *store_,
                                                        .local_store = *store_,
                                                        .clock = *clock_,
                                                        .metrics = *metrics_});
  RateLimitHandler handler_{*limiter_, *clock_, {}};
};

TEST_F(AllocationTest, AllocationsAreCounted) {
  const Allocations allocations;
  const auto made = std::make_unique<std::string>(100, 'x');
  EXPECT_EQ(allocations.count(), 2u);
  nghttp2_hd_inflater* by_c = nullptr;
  EXPECT_EQ(nghttp2_hd_inflate_new(&by_c), 0);
  EXPECT_GT(allocations.count(), 2u);
  nghttp2_hd_inflate_del(by_c);
}

TEST_F(AllocationTest, TheLimiterDecidesWithoutAny) {
  Query query;
  query.domain = "domain";
  query.descriptors.emplace_back().entries.push_back({"k0", "value"});
  int allowed = 0;
  ExpectNoAllocations([&] {
    limiter_->Check(query, [&](absl::StatusOr<const Verdict*> verdict) {
      allowed += (*verdict)->over_limit ? 0 : 1;
    });
  });
  EXPECT_EQ(allowed, 2 * kCalls);
}

TEST_F(AllocationTest, AValueOfAPatternIsMatchedWithoutAny) {
  const auto book = rules_.Get();
  const std::vector<Entry> entries = {{"starred", "/a/x/b/y/c"}};
  Match match;
  ExpectNoAllocations([&] { book->Find("domain")->Find(entries, match); });
  EXPECT_NE(match.rule, nullptr);
}

TEST_F(AllocationTest, TheHandlerRefusesWithoutAny) {
  const std::string request = RequestOf({"k7"});
  int refused = 0;
  ExpectNoAllocations([&] {
    handler_.ShouldRateLimit(request, absl::InfiniteFuture(), nullptr,
                             [&](const RateLimitHandler::Answer& reply) {
                               refused += reply.over_limit ? 1 : 0;
                             });
  });
  EXPECT_EQ(refused, 2 * kCalls);
}

class AllocationOfStatisticsTest : public AllocationTest {
 protected:
  AllocationOfStatisticsTest() : AllocationTest(NewStatistics({})) {}
};

TEST_F(AllocationOfStatisticsTest, TheHandlerCountsWithoutAny) {
  const std::string request = RequestOf({"k0", "named", "starred", "k7"});
  ExpectNoAllocations([&] {
    handler_.ShouldRateLimit(request, absl::InfiniteFuture(), nullptr,
                             [](const RateLimitHandler::Answer&) {});
  });
  const StatisticsSnapshot snapshot = metrics_->statistics()->Read();
  const std::vector<std::string> of_value = {
      "domain", "named_a value of some length, as users have"};
  EXPECT_EQ(snapshot.hits.at({"domain", "k0"})[0], 2u * kCalls);
  EXPECT_EQ(snapshot.hits.at(of_value)[0], 2u * kCalls);
}

class AllocationOfDescriptorsTest : public AllocationTest,
                                    public ::testing::WithParamInterface<int> {
};
INSTANTIATE_TEST_SUITE_P(Descriptors, AllocationOfDescriptorsTest,
                         ::testing::Values(1, 2, 5));

TEST_P(AllocationOfDescriptorsTest, TheHandlerAnswersWithoutAny) {
  const std::string request = Request(GetParam());
  size_t bytes = 0;
  ExpectNoAllocations([&] {
    handler_.ShouldRateLimit(request, absl::InfiniteFuture(), nullptr,
                             [&](const RateLimitHandler::Answer& reply) {
                               EXPECT_TRUE(reply.status.ok());
                               bytes = reply.response.size();
                             });
  });
  EXPECT_GT(bytes, 0u);
}

TEST_F(AllocationTest, ARequestThatIsNotSampledIsAnsweredWithoutAny) {
  const std::unique_ptr<Tracer> tracer =
      NewTracer({.sampling_rate = 0}, *clock_, *metrics_).value();
  RateLimitHandler handler(*limiter_, *clock_, {}, tracer.get());
  const std::string request = Request(1);
  TraceHeaders headers;
  ExpectNoAllocations([&] {
    headers.Clear();
    headers.Add("traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    handler.ShouldRateLimit(
        request, absl::InfiniteFuture(), nullptr,
        [](const RateLimitHandler::Answer& reply) {
          EXPECT_TRUE(reply.status.ok());
        },
        &headers);
  });
}

// A client that makes concurrent calls to a server with one loop.
class AllocationClient {
 public:
  explicit AllocationClient(absl::string_view address) : client_(address) {
    client_.Send(Preface() + WindowUpdate(0, INT32_MAX / 2));
  }

  void Call(int rounds, absl::string_view request) {
    constexpr int32_t kAtOnce = 16;
    // Requests are not traced, so the server must not keep their trace headers.
    const Fields trace_headers = {
        {"traceparent",
         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}};
    for (int round = 0; round < rounds; ++round) {
      std::string bytes;
      const int32_t first = next_;
      for (; next_ < first + 2 * kAtOnce; next_ += 2) {
        bytes += RequestHead(next_, kDecide, trace_headers) +
                 Data(next_, Prefixed(request));
      }
      client_.Send(bytes);
      for (int32_t id = first; id < next_; id += 2) {
        EXPECT_EQ(client_.Await(id).trailer("grpc-status"), "0");
      }
    }
  }

 private:
  RawClient client_;
  int32_t next_ = 1;
};

void RunOn(EventLoop& loop, absl::AnyInvocable<void()> task) {
  std::latch done(1);
  loop.Post([&] {
    task();
    done.count_down();
  });
  done.wait();
}

TEST_P(AllocationOfDescriptorsTest, TheLeanTransportServesWithoutAny) {
  LoopThreads loops(1);
  loops.Start();
  auto server = NewLeanServer(loops, {.address = "127.0.0.1:0"}, handler_,
                              *clock_, *metrics_);
  ASSERT_TRUE(server.ok()) << server.status();
  AllocationClient client((*server)->address());
  const std::string request = Request(GetParam());
  client.Call(100, request);
  std::optional<Allocations> allocations;
  RunOn(loops[0], [&] { allocations.emplace(); });
  client.Call(100, request);
  RunOn(loops[0], [&] {
    EXPECT_EQ(allocations->count(), 0u) << allocations->Places();
    allocations.reset();
  });
}

}  // namespace
}  // namespace rls
