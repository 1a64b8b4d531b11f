// Long steps that share a loop with other work.

#include "net/turn_queue.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/net/net_fixture.h"

namespace rls {
namespace {

using ::testing::ElementsAre;

class TurnQueueTest : public LoopTest {
 protected:
  std::unique_ptr<TurnQueue::Place> NewPlace(const std::string& name) {
    return std::make_unique<TurnQueue::Place>(
        queue_, [this, name] { ran_.push_back(name); });
  }
  // Runs what was posted before, and no more.
  void Turn() {
    loop_->Stop();
    loop_->Run();
  }

  TurnQueue queue_{*loop_, 2};
  std::vector<std::string> ran_;
};

TEST_F(TurnQueueTest, StepsRunInOrderAndAFewInEachTurn) {
  std::vector<std::unique_ptr<TurnQueue::Place>> places;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    places.push_back(NewPlace(name));
    places.back()->Join();
  }
  places[0]->Join();  // waits already
  EXPECT_THAT(ran_, ElementsAre());
  Turn();
  EXPECT_THAT(ran_, ElementsAre("a", "b"));
  places[0]->Join();  // at the end
  Turn();
  EXPECT_THAT(ran_, ElementsAre("a", "b", "c", "d"));
  Turn();
  EXPECT_THAT(ran_, ElementsAre("a", "b", "c", "d", "e", "a"));
  Turn();
  EXPECT_EQ(ran_.size(), 6u);
}

TEST_F(TurnQueueTest, ADestroyedPlaceIsSkipped) {
  auto first = NewPlace("first");
  auto second = NewPlace("second");
  auto third = NewPlace("third");
  for (auto* place : {&first, &second, &third}) (*place)->Join();
  second.reset();
  Turn();
  EXPECT_THAT(ran_, ElementsAre("first", "third"));
}

TEST_F(TurnQueueTest, AStepMayDestroyItsPlaceOrJoinAgain) {
  std::unique_ptr<TurnQueue::Place> ends;
  ends = std::make_unique<TurnQueue::Place>(queue_, [&] {
    ends.reset();
    ran_.push_back("ends");
  });
  std::unique_ptr<TurnQueue::Place> again;
  again = std::make_unique<TurnQueue::Place>(queue_, [&] {
    ran_.push_back("again");
    if (ran_.size() < 3) again->Join();
  });
  ends->Join();
  again->Join();
  Turn();
  EXPECT_THAT(ran_, ElementsAre("ends", "again"));
  EXPECT_EQ(ends, nullptr);
  Turn();
  EXPECT_THAT(ran_, ElementsAre("ends", "again", "again"));
}

}  // namespace
}  // namespace rls
