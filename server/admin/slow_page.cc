#include "admin/slow_page.h"

#include <memory>

namespace rls {

void SlowPage::Answer(HttpReply reply) {
  const MutexLock lock(&mutex_);
  waiting_.push_back(std::move(reply));
  // One task answers all requests that come before it runs.
  if (waiting_.size() == 1) worker_.Post([this] { AnswerAll(); });
}

void SlowPage::AnswerAll() {
  std::vector<HttpReply> replies;
  {
    const MutexLock lock(&mutex_);
    replies.swap(waiting_);
  }
  const auto text = std::make_shared<const std::string>(make_());
  for (HttpReply& reply : replies) {
    reply.Send({.type = type_, .shared_body = text});
  }
}

}  // namespace rls
