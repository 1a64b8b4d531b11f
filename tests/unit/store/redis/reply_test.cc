// The memory that a reply may announce.

#include "store/redis/reply.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

absl::StatusOr<ReplyReader::Owned> ReadArrayOf(size_t elements) {
  ReplyReader reader;
  reader.Feed(absl::StrCat("*", elements, "\r\n"));
  return reader.Next();
}

// hiredis allocates the whole array when it reads this line: 16 GiB for the
// largest number.
TEST(ReplyReaderTest, AnArrayBeyondTheBoundIsRefusedBeforeItsMemoryIsTaken) {
  EXPECT_TRUE(absl::IsUnavailable(ReadArrayOf(2'147'483'647).status()));
  EXPECT_TRUE(absl::IsUnavailable(ReadArrayOf(kMaxReplyElements + 1).status()));
}

TEST(ReplyReaderTest, AnArrayOfTheBoundIsRead) {
  const auto part = ReadArrayOf(kMaxReplyElements);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(*part, nullptr);  // its elements have not arrived
}

}  // namespace
}  // namespace rls
