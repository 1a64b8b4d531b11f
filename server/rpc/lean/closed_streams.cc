#include "rpc/lean/closed_streams.h"

namespace rls {

void ClosedStreams::Open(int32_t id) {
  if (id > last_ + 2) {
    first_skipped_ = last_ + 2;
    last_skipped_ = id - 2;
  }
  last_ = id;
}

void ClosedStreams::Close(int32_t id) {
  highest_closed_ = std::max(highest_closed_, id);
  closed_[next_] = id;
  next_ = (next_ + 1) % kRemembered;
}

ClosedStreams::Fault ClosedStreams::FaultOf(int32_t id) const {
  // The common case: the stream is newer than every closed or skipped stream.
  if (id > highest_closed_ && id > last_skipped_) return Fault::kNone;
  if (id >= first_skipped_ && id <= last_skipped_) return Fault::kSkipped;
  return std::find(closed_.begin(), closed_.end(), id) == closed_.end()
             ? Fault::kNone
             : Fault::kClosed;
}

}  // namespace rls
