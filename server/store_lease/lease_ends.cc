#include "store_lease/lease_ends.h"

#include <algorithm>
#include <utility>

namespace rls {
namespace {

// A crowd of leases that end at once leaves others time on the loop.
constexpr size_t kEndsPerTurn = 128;

}  // namespace

LeaseEnds::LeaseEnds(EventLoop& loop, const Clock& clock,
                     absl::AnyInvocable<void(const Hash128&)> ended)
    : loop_(loop),
      clock_(clock),
      ended_(std::move(ended)),
      timer_(loop.NewTimer([this] { OnTimer(); })) {}

void LeaseEnds::Add(const Hash128& counter, absl::Duration at) {
  bool first = false;
  {
    const MutexLock lock(&mutex_);
    first = ends_.empty() || at < ends_.top().at;
    ends_.push({.at = at, .counter = counter});
  }
  if (first) loop_.Post([this] { OnTimer(); });
}

// Tells of those whose time has come, and waits for the next one's.
void LeaseEnds::OnTimer() {
  const absl::Duration now = clock_.Elapsed();
  std::vector<Hash128> ended;
  {
    const MutexLock lock(&mutex_);
    while (!ends_.empty() && ends_.top().at <= now &&
           ended.size() < kEndsPerTurn) {
      ended.push_back(ends_.top().counter);
      ends_.pop();
    }
    if (!ends_.empty()) {
      timer_->Set(loop_.Now() +
                  absl::ToChronoNanoseconds(
                      std::max(absl::ZeroDuration(), ends_.top().at - now)));
    }
  }
  for (const Hash128& counter : ended) ended_(counter);
}

}  // namespace rls
