#include "base/thread_part.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace rls {
namespace {

size_t Cores() {
  static const size_t count =
      std::max(size_t{1}, size_t{std::thread::hardware_concurrency()});
  return count;
}

thread_local size_t part = 0;

}  // namespace

size_t PartCount() { return 1 + Cores(); }

size_t PartOfThisThread() { return part; }

// In turn: threads that are started together have different ones, whatever
// others have claimed before.
void ClaimPart() {
  static std::atomic<size_t> claimed{0};
  part = 1 + claimed.fetch_add(1, std::memory_order_relaxed) % Cores();
}

}  // namespace rls
