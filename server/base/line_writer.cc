#include "base/line_writer.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/time/clock.h"

namespace rls {
namespace {

// A pipe that poll() reports as writable accepts this many bytes without
// blocking (PIPE_BUF).
constexpr size_t kChunk = 4096;
// How often a writer that waits for its descriptor looks whether it must stop.
constexpr int kPollMs = 50;
// While more lines are dropped, a notice appears at most this often.
constexpr std::chrono::seconds kNoticeInterval{1};

}  // namespace

// The thread blocks all signals: another one waits for them.
LineWriter::LineWriter(Options options) : options_(std::move(options)) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LineWriter::~LineWriter() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void LineWriter::Write(std::string line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (lines_.size() == kMaxLines || line.size() > kMaxBytes - bytes_) {
    CountDropped();
    return;
  }
  bytes_ += line.size();
  lines_.push_back(std::move(line));
  wake_.notify_one();
}

bool LineWriter::Flush(absl::Duration most) {
  std::unique_lock<std::mutex> lock(mutex_);
  return written_.wait_for(lock, absl::ToChronoNanoseconds(most),
                           [this] { return !HasWork() && chunk_.empty(); });
}

void LineWriter::SetOnDrop(std::function<void()> on_drop) {
  const std::lock_guard<std::mutex> lock(mutex_);
  on_drop_ = std::move(on_drop);
}

void LineWriter::CountDropped() {
  ++dropped_;
  if (on_drop_ != nullptr) on_drop_();
}

void LineWriter::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
    if (stopping_) return;
    while (!stopping_ && HasWork()) {
      Gather();
      WriteSome(lock);
    }
    written_.notify_all();
  }
}

// A descriptor that has failed gets no notice until it has accepted a line.
bool LineWriter::HasWork() const {
  return !lines_.empty() || (dropped_ > 0 && accepts_);
}

// Takes lines for one write.
void LineWriter::Gather() {
  const auto now = std::chrono::steady_clock::now();
  if (dropped_ > 0 && accepts_ &&
      (lines_.empty() || now - noticed_at_ >= kNoticeInterval)) {
    noticed_at_ = now;
    const int64_t dropped = std::exchange(dropped_, 0);
    if (options_.notice != nullptr) chunk_ += options_.notice(dropped);
  }
  while (!lines_.empty() && chunk_.size() < kChunk) {
    bytes_ -= lines_.front().size();
    chunk_ += lines_.front();
    lines_.pop_front();
  }
}

bool LineWriter::WaitForRoom() const {
  pollfd poller{.fd = options_.fd, .events = POLLOUT, .revents = 0};
  while (!stopping_) {
    // An error of the descriptor shows in write().
    if (poll(&poller, 1, kPollMs) > 0) return true;
  }
  return false;
}

void LineWriter::WriteSome(std::unique_lock<std::mutex>& lock) {
  size_t done = 0;
  bool failed = false;
  lock.unlock();
  while (done < chunk_.size() && !failed && WaitForRoom()) {
    const size_t size = std::min(kChunk, chunk_.size() - done);
    const ssize_t wrote = write(options_.fd, chunk_.data() + done, size);
    if (wrote >= 0) {
      done += static_cast<size_t>(wrote);
    } else {
      failed = errno != EINTR && errno != EAGAIN;
    }
  }
  lock.lock();
  // The reader is gone, or the disk is full: the lines of this chunk are lost.
  for (size_t i = done; failed && i < chunk_.size(); ++i) {
    if (chunk_[i] == '\n') CountDropped();
  }
  chunk_.clear();
  accepts_ = !failed;
}

}  // namespace rls
