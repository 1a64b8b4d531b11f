// The order of the phases is a matter of types: a wrong order does not compile.

#include "limiter/phases.h"

#include <type_traits>
#include <utility>

#include "gtest/gtest.h"

namespace rls {
namespace {

template <typename T>
concept CanPlan = requires(T request) {
  std::forward<T>(request).Plan();
};
template <typename T>
concept CanAnswer = requires(T request) {
  std::forward<T>(request).Answered({});
};
template <typename T>
concept CanTakeAgain = requires(T request) {
  std::forward<T>(request).Again();
};
template <typename T>
concept CanConclude = requires(T request) {
  request.Conclude();
};
template <typename T>
concept HasCharges = requires(T request) {
  request.charges();
};
template <typename T>
concept HasOutcomes = requires(T request) {
  request.outcomes();
};

TEST(PhasesTest, EachConversionBelongsToOnePhase) {
  EXPECT_TRUE((CanPlan<Matched&&> && !CanPlan<Demand&&> && !CanPlan<Taken&&>));
  EXPECT_TRUE(
      (!CanAnswer<Matched&&> && CanAnswer<Demand&&> && !CanAnswer<Taken&&>));
  EXPECT_TRUE((!CanTakeAgain<Matched&&> && !CanTakeAgain<Demand&&> &&
               CanTakeAgain<Taken&&>));
  EXPECT_TRUE(
      (!CanConclude<Matched&> && !CanConclude<Demand&> && CanConclude<Taken&>));
}

TEST(PhasesTest, AConversionConsumesTheRequest) {
  EXPECT_FALSE(CanPlan<Matched&>);
  EXPECT_FALSE(CanAnswer<Demand&>);
  EXPECT_FALSE(CanTakeAgain<Taken&>);
}

TEST(PhasesTest, NoPhaseShowsTheResultsOfALaterOne) {
  EXPECT_FALSE(HasCharges<Matched&>);
  EXPECT_TRUE(HasCharges<Demand&>);
  EXPECT_FALSE(HasOutcomes<Demand&>);
  EXPECT_TRUE(HasOutcomes<Taken&>);
}

TEST(PhasesTest, NoPhaseIsCopiedOrMadeFromAnotherOne) {
  EXPECT_FALSE(std::is_copy_constructible_v<Demand>);
  EXPECT_FALSE((std::is_constructible_v<Demand, Matched&&>));
  EXPECT_FALSE((std::is_constructible_v<Taken, Demand&&>));
  EXPECT_FALSE((std::is_constructible_v<Taken, Matched&&>));
}

}  // namespace
}  // namespace rls
