#ifndef RLS_BASE_LINE_WRITER_H_
#define RLS_BASE_LINE_WRITER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "absl/time/time.h"

namespace rls {

// Writes lines to a file descriptor from a thread of its own, so that no other
// thread waits for a slow reader: a full pipe, a stopped terminal, a full disk.
//
// Lines wait in a bounded queue. If the queue is full, further lines are
// dropped and counted; as soon as the descriptor accepts bytes again, one line
// states their number.
//
// Threads: every method may be called by many threads at once.
class LineWriter {
 public:
  static constexpr size_t kMaxLines = 10'000;
  static constexpr size_t kMaxBytes = size_t{1} << 20;

  struct Options {
    int fd = -1;  // must stay open
    // The line, with its end, that states the number of dropped lines. Null:
    // no line does.
    std::function<std::string(int64_t dropped)> notice = nullptr;
  };

  explicit LineWriter(Options options);
  // Drops the lines that wait; see Flush(). Waits for a write under way, which
  // only a terminal or a disk can delay.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` ends with a newline.
  void Write(std::string line);

  // Waits until all lines are written, but at most this long. Returns whether
  // they are.
  bool Flush(absl::Duration most);

  // Runs, from now on, for each dropped line, within Write() or on the thread
  // of the writer. It must not call this object. Null: nothing runs.
  void SetOnDrop(std::function<void()> on_drop);

 private:
  void Run();
  bool HasWork() const;
  void Gather();
  bool WaitForRoom() const;
  void WriteSome(std::unique_lock<std::mutex>& lock);
  void CountDropped();

  const Options options_;
  std::mutex mutex_;  // guards all members below, except stopping_ and thread_
  std::condition_variable wake_;
  std::condition_variable written_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;     // of lines_
  std::string chunk_;    // taken from lines_, being written
  int64_t dropped_ = 0;  // that no notice has stated
  std::chrono::steady_clock::time_point noticed_at_;
  bool accepts_ = true;  // the descriptor has accepted the last chunk
  std::function<void()> on_drop_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace rls

#endif  // RLS_BASE_LINE_WRITER_H_
