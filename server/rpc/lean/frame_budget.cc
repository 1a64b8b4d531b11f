#include "rpc/lean/frame_budget.h"

#include <nghttp2/nghttp2.h>

namespace rls {

int64_t FrameBudget::CostOf(const FrameHead& frame) {
  switch (frame.type) {
    case NGHTTP2_DATA:
      return frame.length >= kFreeDataBytes ? 0 : 1;
    case NGHTTP2_SETTINGS:
      return (frame.flags & NGHTTP2_FLAG_ACK) != 0 ? 1 : kSettings;
    default:
      return 1;
  }
}

}  // namespace rls
