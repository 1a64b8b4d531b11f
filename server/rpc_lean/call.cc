#include "rpc_lean/call.h"

#include "rpc_lean/call_pool.h"
#include "rpc_lean/h2_session.h"

namespace rls {

void Call::Begin(H2Session& session, int32_t stream_id, absl::Time now) {
  session_ = &session;
  before_ = after_ = nullptr;
  stream_id_ = stream_id;
  method_ = Method::kUnknown;
  arrived_ = now;
  deadline_ = absl::InfiniteFuture();
  header_bytes_ = 0;
  is_post_ = is_head_ = is_plain_ = stop_ = false;
  is_grpc_ = bad_timeout_ = compressed_ = false;
  request_ended_ = ready_ = responded_ = finished_ = false;
  overdue_ = held_ = false;
  received_.Clear();
  sending_.Clear();
  caller_.emplace();
}

void Call::Append(absl::string_view message) {
  pool_->unsent_bytes += kMessagePrefixBytes + message.size();
  AppendMessage(message, sending_);
}

void Call::Send(absl::string_view message) {
  if (finished()) return;
  if (pool_->unsent_bytes + message.size() > CallPool::kMaxUnsentBytes) {
    Finish(absl::ResourceExhaustedError("too many answers wait to be read"));
    return;
  }
  Append(message);
  session_->Proceed(*this);
}

void Call::Finish(const absl::Status& status) {
  if (finished()) return;
  status_ = status;
  finished_ = true;
  session_->Proceed(*this);
}

void Call::Answer(absl::string_view message) {
  if (finished()) return;
  Append(message);
  status_ = absl::OkStatus();
  finished_ = true;
  session_->Proceed(*this);
}

void Call::Release() {
  held_ = false;
  if (session_ == nullptr) pool_->Put(*this);
}

}  // namespace rls
