#ifndef RLS_ADMIN_SLOW_PAGE_H_
#define RLS_ADMIN_SLOW_PAGE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "http/http_handler.h"
#include "net/event_loop.h"

namespace rls {

// A page whose text takes long to make. Another loop makes it, once for all
// requests that have come in the meantime, so that many requests cost no more
// than one.
//
// Threads: Answer() may be called by many threads at once.
// Lifetime: `worker` must run until the page is destroyed, and the page must
// outlive its requests.
class SlowPage {
 public:
  // `type` is the Content-Type, a constant.
  SlowPage(EventLoop& worker, const char* type,
           std::function<std::string()> make)
      : worker_(worker), type_(type), make_(std::move(make)) {}
  SlowPage(const SlowPage&) = delete;
  SlowPage& operator=(const SlowPage&) = delete;

  void Answer(HttpReply reply);

 private:
  void AnswerAll();

  EventLoop& worker_;
  const char* const type_;
  const std::function<std::string()> make_;
  Mutex mutex_;
  std::vector<HttpReply> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_ADMIN_SLOW_PAGE_H_
