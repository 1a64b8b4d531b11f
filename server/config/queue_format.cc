#include "config/queue_format.h"

#include "limit/policy.h"

namespace rls {
namespace {

// Each one holds a call of its gRPC queue, of which there are 100,000.
constexpr int64_t kMaxQueued = 90'000;

}  // namespace

void ReadQueue(const YamlMap& map, QueueRule& queue) {
  const YAML::Node* node = map.Find("queue");
  if (node == nullptr) return;
  const YamlMap entries(map.reader(), *node, "queue",
                        {"max_wait", "max_queued", "max_queued_per_user"});
  entries.ReadDuration("max_wait", absl::Milliseconds(1), kMaxBookingWait,
                       queue.max_wait);
  entries.ReadInteger("max_queued", 1, kMaxQueued, queue.max_queued);
  entries.ReadInteger("max_queued_per_user", 1, kMaxQueued,
                      queue.max_queued_per_user);
}

void MakeQueue(const YamlMap& map, const QueueRule& queue, Rule& rule) {
  if (rule.policy.algorithm == Algorithm::kSlidingWindow) {
    map.Refuse({"algorithm"},
               " sliding_window does not go with enforce: queue; expected "
               "fixed_window or token_bucket");
    return;
  }
  if (rule.policy.calendar != Calendar::kNone) return;
  map.Refuse({"lease"}, " does not go with enforce: queue");
  rule.policy.queue = true;
  rule.queue = queue;
}

}  // namespace rls
