// The masters of a cluster, none of which answers.

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "fake_clock.h"
#include "fake_loop.h"
#include "net/resolver.h"
#include "store_redis/cluster_nodes.h"

namespace rls {
namespace {

class Nobody final : public PipelineOwner, public Exhausted {
 public:
  void OnRefused(Pipeline&, PendingTakes, absl::string_view) override {}
  void OnChange(Pipeline&) override {}
  void OnExhausted(const PendingTake&, const CounterState&,
                   absl::Time) override {}
  void OnChanged(const Charge&) override {}
};

class ClusterNodesTest : public ::testing::Test {
 protected:
  // Each of them would be a line.
  ClusterNodesTest() { SetLogLevel(LogLevel::kError); }
  ~ClusterNodesTest() override { SetLogLevel(LogLevel::kInfo); }

  static Endpoint Master(size_t number) {
    return {.unix_path = absl::StrCat("/nonexistent/", number)};
  }

  // Within a task, as what it posts comes after it.
  Pipeline* At(size_t number) {
    Pipeline* pipeline = nullptr;
    loop_.Post([&] { pipeline = nodes_.At(Master(number)); });
    return pipeline;
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  const std::unique_ptr<Resolver> resolver_ = NewResolver();
  Nobody nobody_;
  ClusterNodes nodes_{{.stream = {.loop = loop_, .resolver = *resolver_},
                       .clock = clock_,
                       .exhausted = nobody_,
                       .command_timeout = std::chrono::milliseconds(10)},
                      nobody_};
};

TEST_F(ClusterNodesTest, MastersTooManyAreNotConnected) {
  for (size_t i = 0; i < ClusterNodes::kMaxNodes; ++i) {
    ASSERT_NE(At(i), nullptr);
  }
  const Endpoint more = Master(ClusterNodes::kMaxNodes);
  EXPECT_EQ(At(ClusterNodes::kMaxNodes), nullptr);
  EXPECT_EQ(At(7)->endpoint(), Master(7));

  nodes_.MoveSlot(1, Master(7));
  nodes_.MoveSlot(1, more);
  EXPECT_EQ(nodes_.WithSlot(1), At(7));

  nodes_.Assign({{.first = 0, .last = 1, .master = more},
                 {.first = 2, .last = 2, .master = Master(0)}});
  EXPECT_EQ(nodes_.WithSlot(1), nullptr);
  EXPECT_EQ(nodes_.WithSlot(2), At(0));
}

TEST_F(ClusterNodesTest, MastersWithoutSlotsMakeRoom) {
  for (size_t i = 0; i < ClusterNodes::kMaxNodes; ++i) At(i);
  for (int round = 0; round < 4; ++round) {
    nodes_.Assign({{.first = 0, .last = 0, .master = Master(0)}});
  }
  EXPECT_NE(At(ClusterNodes::kMaxNodes), nullptr);
}

}  // namespace
}  // namespace rls
