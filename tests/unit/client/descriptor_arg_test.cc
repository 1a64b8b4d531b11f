#include "descriptor_arg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(DescriptorArgTest, SplitsAtCommasAndTheFirstEquals) {
  EXPECT_THAT(*ParseDescriptor("a=b"), ElementsAre(Pair("a", "b")));
  EXPECT_THAT(*ParseDescriptor("a=b=c,d="),
              ElementsAre(Pair("a", "b=c"), Pair("d", "")));
}

TEST(DescriptorArgTest, ABackslashEscapesACommaOrABackslash) {
  EXPECT_THAT(*ParseDescriptor("a=b\\,c\\\\,d=\\x"),
              ElementsAre(Pair("a", "b,c\\"), Pair("d", "\\x")));
}

TEST(DescriptorArgTest, RefusesAnEntryWithoutKeyOrValue) {
  for (const char* argument : {"", "a", "=b", "a=b,", "a=b,c"}) {
    EXPECT_FALSE(ParseDescriptor(argument).ok()) << argument;
  }
}

}  // namespace
}  // namespace rls
