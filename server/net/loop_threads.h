#ifndef RLS_NET_LOOP_THREADS_H_
#define RLS_NET_LOOP_THREADS_H_

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "net/event_loop.h"

namespace rls {

// Event loops, one thread each: what lives on one of them is served without a
// hand-over to another thread.
//
// Threads: Start() and Stop() by the owner's.
// Lifetime: outlives all that lives on its loops.
class LoopThreads {
 public:
  explicit LoopThreads(size_t count);
  ~LoopThreads() { Stop(); }
  LoopThreads(const LoopThreads&) = delete;
  LoopThreads& operator=(const LoopThreads&) = delete;

  void Start();
  // Waits for the threads. Nothing runs on the loops any more.
  void Stop();

  size_t size() const { return loops_.size(); }
  EventLoop& operator[](size_t i) const { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace rls

#endif  // RLS_NET_LOOP_THREADS_H_
