#include "store_redis/split_takes.h"

#include <utility>

#include "absl/status/status.h"

namespace rls {

SplitTakes::SplitTakes(EventLoop& loop, SteadyDuration command_timeout,
                       Router& router)
    : loop_(loop), command_timeout_(command_timeout), router_(router) {}

void SplitTakes::Split(std::unique_ptr<PendingTake> take,
                       absl::Span<const size_t> part_of) {
  SplitTake::Owner& self = *this;
  auto split = std::make_unique<SplitTake>(std::move(take), part_of, loop_,
                                           command_timeout_, self);
  SplitTake* const begun = split.get();
  splits_.emplace(begun, std::move(split));
  begun->Begin();
}

void SplitTakes::Later(std::unique_ptr<PendingTake> take) {
  later_.push_back(std::move(take));
  FlushLater();
}

void SplitTakes::FlushLater() {
  if (std::exchange(flush_posted_, true)) return;
  loop_.Post([this] {
    flush_posted_ = false;
    router_.Flush();
  });
}

PendingTakes SplitTakes::TakeDue() {
  PendingTakes due;
  // One that is told of its end may bring another.
  while (due.empty() && !later_.empty()) {
    for (std::unique_ptr<PendingTake>& take : std::exchange(later_, {})) {
      if (take->answer_by <= loop_.Now()) {
        take->Expire();
      } else {
        due.push_back(std::move(take));
      }
    }
  }
  return due;
}

void SplitTakes::FailAll() {
  // What fails may send again.
  while (!later_.empty()) {
    for (std::unique_ptr<PendingTake>& take : std::exchange(later_, {})) {
      take->Fail(absl::UnavailableError("the Redis store is closing"));
    }
  }
}

void SplitTakes::SendPart(std::unique_ptr<PendingTake> part) {
  Later(std::move(part));
}

void SplitTakes::OnOver(SplitTake& take) { splits_.erase(&take); }

}  // namespace rls
