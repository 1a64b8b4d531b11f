#include "rpc_lean/call_pool.h"

namespace rls {

Call* CallPool::Get() {
  if (size_ == kMaxCalls) return nullptr;
  ++size_;
  if (spare_.empty()) {
    auto call = std::make_unique<Call>();
    call->pool_ = this;
    return call.release();  // Put() takes it back
  }
  Call* const call = spare_.back().release();
  spare_.pop_back();
  return call;
}

void CallPool::Put(Call& call) {
  --size_;
  std::unique_ptr<Call> owned(&call);
  if (spare_.size() < kSpareCalls) spare_.push_back(std::move(owned));
}

}  // namespace rls
