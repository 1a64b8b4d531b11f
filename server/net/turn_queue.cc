#include "net/turn_queue.h"

#include <algorithm>
#include <utility>

namespace rls {

TurnQueue::Place::Place(TurnQueue& queue, absl::AnyInvocable<void()> step)
    : queue_(queue), step_(std::move(step)) {}

TurnQueue::Place::~Place() {
  if (queue_.running_ == this) queue_.running_ = nullptr;
  if (!waits_) return;
  *std::find(queue_.waiting_.begin(), queue_.waiting_.end(), this) = nullptr;
}

void TurnQueue::Place::Join() {
  if (std::exchange(waits_, true)) return;
  queue_.waiting_.push_back(this);
  queue_.RunLater();
}

void TurnQueue::RunLater() {
  if (std::exchange(will_run_, true)) return;
  loop_.Post([this] { Run(); });
}

void TurnQueue::Run() {
  will_run_ = false;
  size_t steps = 0;
  while (!waiting_.empty() && steps < steps_per_turn_) {
    Place* const place = waiting_.front();
    waiting_.pop_front();
    if (place == nullptr) continue;
    ++steps;
    // The step may destroy its place, so it runs from a local variable.
    auto step = std::move(place->step_);
    place->waits_ = false;
    running_ = place;
    step();
    if (running_ == place) place->step_ = std::move(step);
    running_ = nullptr;
  }
  if (!waiting_.empty()) RunLater();
}

}  // namespace rls
