#include "net/loop_threads.h"

#include "base/thread_part.h"

namespace rls {

LoopThreads::LoopThreads(size_t count) {
  for (size_t i = 0; i < count; ++i) loops_.push_back(NewEventLoop());
}

void LoopThreads::Start() {
  for (const auto& loop : loops_) {
    threads_.emplace_back([&loop] {
      ClaimPart();
      loop->Run();
    });
  }
}

void LoopThreads::Stop() {
  if (threads_.empty()) return;
  for (const auto& loop : loops_) loop->Stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace rls
