// A writer whose reader does not read: nobody waits for it, and nothing is
// dropped silently.

#include "base/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

// Much longer than a write takes on any machine.
constexpr absl::Duration kLong = absl::Seconds(60);

class LineWriterTest : public ::testing::Test {
 protected:
  LineWriterTest() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(pipe(ends_), 0);
  }
  ~LineWriterTest() override {
    CloseReader();
    close(ends_[1]);
  }

  LineWriter::Options Options() {
    return {.fd = ends_[1], .notice = [](int64_t dropped) {
              return absl::StrCat("dropped ", dropped, "\n");
            }};
  }

  // Fills the pipe, so that every write to it would wait.
  size_t FillPipe() {
    const int flags = fcntl(ends_[1], F_GETFL);
    fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK);
    size_t filled = 0;
    while (write(ends_[1], "x", 1) == 1) ++filled;
    fcntl(ends_[1], F_SETFL, flags);
    return filled;
  }

  std::string Read(size_t bytes) {
    std::string text(bytes, '\0');
    size_t done = 0;
    while (done < bytes) {
      const ssize_t got = read(ends_[0], text.data() + done, bytes - done);
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    text.resize(done);
    return text;
  }

  // Reads until the line `last`. Counts the lines before it, and the lines that
  // notices count.
  void ReadTo(const std::string& last) {
    std::string line;
    while (line != last) {
      line.clear();
      for (std::string byte = Read(1); byte != "\n"; byte = Read(1)) {
        ASSERT_EQ(byte.size(), 1u) << "no line " << last;
        line += byte;
      }
      int64_t dropped = 0;
      if (absl::StartsWith(line, "dropped ")) {
        ASSERT_TRUE(absl::SimpleAtoi(line.substr(8), &dropped));
        noticed_ += dropped;
      } else {
        ++lines_read_;
      }
    }
  }

  void CloseReader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }

  int ends_[2] = {-1, -1};
  int64_t lines_read_ = 0;
  int64_t noticed_ = 0;
};

TEST_F(LineWriterTest, WritesAllLinesInTheirOrder) {
  LineWriter writer(Options());
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = absl::StrCat("line ", i, "\n");
    all += line;
    writer.Write(line);
  }
  ASSERT_LT(all.size(), size_t{65536});
  EXPECT_TRUE(writer.Flush(kLong));
  EXPECT_EQ(Read(all.size()), all);
}

TEST_F(LineWriterTest, NoCallerWaitsForAFullPipe) {
  const size_t filled = FillPipe();
  std::atomic<int64_t> dropped{0};
  LineWriter writer(Options());
  writer.SetOnDrop([&] { ++dropped; });
  // The test would hang here if a call waited.
  const int64_t lines = 5 * static_cast<int64_t>(LineWriter::kMaxLines);
  for (int64_t i = 0; i < lines; ++i) writer.Write(absl::StrCat(i, "\n"));
  EXPECT_FALSE(writer.Flush(absl::Milliseconds(1)));
  EXPECT_GT(dropped.load(), 0);
  // The queue, and what the thread has taken from it.
  EXPECT_LE(lines - dropped.load(), int64_t{LineWriter::kMaxLines} + 4096);

  // The reader is back: each line was either written or counted.
  Read(filled);
  std::thread reader([this] { ReadTo("the last"); });
  EXPECT_TRUE(writer.Flush(kLong));
  writer.Write("the last\n");
  reader.join();
  EXPECT_EQ(noticed_, dropped.load());
  EXPECT_EQ(lines_read_ + noticed_, lines + 1);
}

TEST_F(LineWriterTest, WaitingBytesAreBounded) {
  FillPipe();
  std::atomic<int64_t> dropped{0};
  LineWriter writer(Options());
  writer.SetOnDrop([&] { ++dropped; });
  const std::string line =
      std::string(LineWriter::kMaxBytes / 8 - 1, 'a') + "\n";
  for (int i = 0; i < 10; ++i) writer.Write(line);
  // Eight fit, and one more if the thread has taken one already.
  EXPECT_GE(dropped.load(), 1);
  EXPECT_LE(dropped.load(), 2);
  writer.Write(std::string(LineWriter::kMaxBytes, 'a') + "\n");
  EXPECT_GE(dropped.load(), 2);
}

TEST_F(LineWriterTest, LinesForAReaderThatIsGoneAreCounted) {
  CloseReader();
  std::atomic<int64_t> dropped{0};
  LineWriter writer(Options());
  writer.SetOnDrop([&] { ++dropped; });
  for (int i = 0; i < 10; ++i) writer.Write("lost\n");
  EXPECT_TRUE(writer.Flush(kLong));
  EXPECT_EQ(dropped.load(), 10);
}

TEST_F(LineWriterTest, EndsAlthoughThePipeIsFull) {
  FillPipe();
  LineWriter writer(Options());
  writer.Write("never read\n");
  EXPECT_FALSE(writer.Flush(absl::Milliseconds(1)));
}

}  // namespace
}  // namespace rls
