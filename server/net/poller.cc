#include "net/poller.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace rls {
namespace {

// Without these there is no server: limits of the process, or a bug of ours.
void Require(bool fulfilled, absl::string_view what) {
  if (fulfilled) return;
  LogError(absl::StrCat("event loop: ", what, " failed, errno ", errno));
  std::abort();
}

// Rounded up: a timer that wakes early would only have to wait again.
int MillisecondsOf(SteadyDuration duration) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(duration);
  return static_cast<int>(std::min<int64_t>(rounded.count(), INT_MAX));
}

timespec TimespecOf(SteadyDuration duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  timespec spec = {};
  spec.tv_sec = seconds.count();
  spec.tv_nsec = std::chrono::nanoseconds(duration - seconds).count();
  return spec;
}

}  // namespace

class Poller::PollerWatch final : public EventLoop::Watch {
 public:
  PollerWatch(Poller& poller, int fd,
              absl::AnyInvocable<void(EventLoop::Ready)> ready)
      : poller_(poller), fd_(fd), ready_(std::move(ready)) {}

  ~PollerWatch() override {
    PollerWatch::Want({});
    if (poller_.running_ == this) poller_.running_ = nullptr;
    // What this turn has found for it must not reach it any more.
    for (int i = poller_.next_; i < poller_.found_; ++i) {
      if (poller_.events_[i].data.ptr == this) {
        poller_.events_[i].data.ptr = nullptr;
      }
    }
  }

  // A descriptor of which nothing is wanted leaves epoll altogether: epoll
  // reports a hang-up whether asked or not, and would keep the loop awake.
  void Want(EventLoop::Ready interest) override {
    const uint32_t before = wanted_;
    wanted_ = (interest.readable ? uint32_t{EPOLLIN} : 0U) |
              (interest.writable ? uint32_t{EPOLLOUT} : 0U);
    if (wanted_ == before) return;
    epoll_event event = {};
    event.events = wanted_;
    event.data.ptr = this;
    const int change = before == 0    ? EPOLL_CTL_ADD
                       : wanted_ == 0 ? EPOLL_CTL_DEL
                                      : EPOLL_CTL_MOD;
    Require(epoll_ctl(poller_.epoll_.get(), change, fd_, &event) == 0,
            "epoll_ctl");
  }

  void Dispatch(uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) events |= EPOLLIN | EPOLLOUT;
    // Another callback of this turn may have changed what is wanted.
    if ((events & wanted_) == 0) return;
    // The callback may destroy this object, and itself with it, while it runs.
    Poller& poller = poller_;
    auto ready = std::move(ready_);
    poller.running_ = this;
    ready({.readable = (events & EPOLLIN) != 0,
           .writable = (events & EPOLLOUT) != 0});
    if (poller.running_ == this) ready_ = std::move(ready);
  }

 private:
  Poller& poller_;
  const int fd_;
  absl::AnyInvocable<void(EventLoop::Ready)> ready_;
  uint32_t wanted_ = 0;
};

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Require(epoll_.get() >= 0, "epoll_create1");
  Require(wake_.get() >= 0, "eventfd");
  // Edge-triggered: each write is told of once, and nobody has to read.
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  Require(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0,
          "epoll_ctl");
  // Linux before 5.11 has no epoll_pwait2, and some sandboxes forbid it.
  const timespec now = {};
  nanoseconds_ =
      epoll_pwait2(epoll_.get(), events_.data(), 1, &now, nullptr) >= 0;
}

std::unique_ptr<EventLoop::Watch> Poller::NewWatch(
    int fd, absl::AnyInvocable<void(EventLoop::Ready)> ready) {
  return std::make_unique<PollerWatch>(*this, fd, std::move(ready));
}

int Poller::WaitFor(std::optional<SteadyDuration> timeout) {
  const int most = static_cast<int>(events_.size());
  if (!timeout.has_value()) {
    return epoll_wait(epoll_.get(), events_.data(), most, -1);
  }
  if (!nanoseconds_ || *timeout == SteadyDuration::zero()) {
    return epoll_wait(epoll_.get(), events_.data(), most,
                      MillisecondsOf(*timeout));
  }
  const timespec spec = TimespecOf(*timeout);
  return epoll_pwait2(epoll_.get(), events_.data(), most, &spec, nullptr);
}

void Poller::Wait(std::optional<SteadyDuration> timeout) {
  next_ = 0;
  found_ = WaitFor(timeout);
  Require(found_ >= 0 || errno == EINTR, "epoll_wait");
}

void Poller::Dispatch() {
  while (next_ < found_) {
    const epoll_event& event = events_[next_++];
    // Null: our own wake-up, or the watch has been destroyed this turn.
    auto* const watch = static_cast<PollerWatch*>(event.data.ptr);
    if (watch != nullptr) watch->Dispatch(event.events);
  }
  next_ = found_ = 0;
}

void Poller::Wake() {
  // It fails only after 2^64 - 2 wake-ups.
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof(one));
}

}  // namespace rls
