#include "net/timers.h"

#include <algorithm>
#include <utility>

namespace rls {

class Timers::HeapTimer final : public EventLoop::Timer {
 public:
  HeapTimer(Timers& timers, absl::AnyInvocable<void()> fire)
      : timers_(timers), fire_(std::move(fire)) {}

  ~HeapTimer() override {
    HeapTimer::Cancel();
    if (timers_.running_ == this) timers_.running_ = nullptr;
  }

  void Set(SteadyTime at) override {
    HeapTimer::Cancel();
    timers_.Add(*this, at);
  }

  void Cancel() override {
    if (place_ != kNowhere) timers_.Remove(place_);
  }

  void Fire() {
    // The callback may destroy this object, so it runs from a local variable.
    Timers& timers = timers_;
    auto fire = std::move(fire_);
    timers.running_ = this;
    fire();
    if (timers.running_ == this) fire_ = std::move(fire);
  }

  void set_place(size_t place) { place_ = place; }

  static constexpr size_t kNowhere = ~size_t{0};

 private:
  Timers& timers_;
  absl::AnyInvocable<void()> fire_;
  size_t place_ = kNowhere;
};

std::unique_ptr<EventLoop::Timer> Timers::NewTimer(
    absl::AnyInvocable<void()> fire) {
  return std::make_unique<HeapTimer>(*this, std::move(fire));
}

void Timers::Fire(SteadyTime now) {
  fired_until_ = now;
  const uint64_t end = next_sequence_;
  while (!heap_.empty() && heap_[0].at <= now && heap_[0].sequence < end) {
    HeapTimer* const timer = heap_[0].timer;
    Remove(0);
    timer->Fire();
  }
}

bool Timers::Before(const Entry& a, const Entry& b) {
  return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
}

void Timers::Add(HeapTimer& timer, SteadyTime at) {
  heap_.emplace_back();
  // A time in the past is moved to the time of the last Fire(). The timer is
  // still due, but fires after the timers that are due already.
  Sift(heap_.size() - 1,
       {std::max(at, fired_until_), next_sequence_++, &timer});
}

void Timers::Remove(size_t place) {
  heap_[place].timer->set_place(HeapTimer::kNowhere);
  const Entry last = heap_.back();
  heap_.pop_back();
  if (place < heap_.size()) Sift(place, last);
}

void Timers::Put(size_t place, const Entry& entry) {
  heap_[place] = entry;
  entry.timer->set_place(place);
}

// Moves `entry` up or down from the free `place` to its position in the heap.
void Timers::Sift(size_t place, const Entry& entry) {
  while (place > 0 && Before(entry, heap_[(place - 1) / 2])) {
    Put(place, heap_[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  for (size_t child; (child = 2 * place + 1) < heap_.size(); place = child) {
    if (child + 1 < heap_.size() && Before(heap_[child + 1], heap_[child])) {
      ++child;
    }
    if (!Before(heap_[child], entry)) break;
    Put(place, heap_[child]);
  }
  Put(place, entry);
}

}  // namespace rls
