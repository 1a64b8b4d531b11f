#ifndef RLS_STORE_REDIS_PIPELINE_H_
#define RLS_STORE_REDIS_PIPELINE_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/log_throttle.h"
#include "net/event_loop.h"
#include "store_redis/connection.h"
#include "store_redis/endpoint_source.h"
#include "store_redis/pending_take.h"
#include "store_redis/script_call.h"

namespace rls {

struct PipelineParts {
  StreamParts stream;
  const Clock& clock;
  Exhausted& exhausted;
  SteadyDuration command_timeout;
  RedisAccess access;
};

class Pipeline;

// Who has several pipelines, one for each master of a cluster.
class PipelineOwner {
 public:
  virtual ~PipelineOwner() = default;

  // The master did nothing for these takes of one call (none is null) and says
  // why: they belong elsewhere, cannot be made now, or no master has their
  // slot.
  virtual void OnRefused(Pipeline& pipeline, PendingTakes takes,
                         absl::string_view error) = 0;

  // usable() or settled() has changed, or one more attempt to connect has
  // failed.
  virtual void OnChange(Pipeline& pipeline) = 0;
};

// The takes of one loop for one master: gathers them while the calls before are
// on their way, sends them together, and answers each in time.
//
// A server that lets a call wait longer than the command timeout is late: until
// it has answered what it was sent, nothing more is sent, and takes are refused
// at once (this is the circuit breaker of DESIGN section 7). One that stays
// late is left, and connected anew. What was sent is never sent again, but for
// what the server says it did not do.
//
// Threads: its loop's only, but for usable().
// Lifetime: it must not be destroyed within its owner's methods.
class Pipeline final : public Connection::Owner {
 public:
  // Of the master that `source` names. A null owner is one with one pipeline.
  Pipeline(const PipelineParts& parts, std::unique_ptr<EndpointSource> source,
           PipelineOwner* owner);
  ~Pipeline() override;  // fails what waits
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  void Open() { connection_.Open(); }

  // May be asked by any thread: whether a take has a chance now.
  bool usable() const { return usable_.load(std::memory_order_relaxed); }

  // Whether the first attempt to connect has ended. What is added before that
  // waits for it.
  bool settled() const { return settled_; }
  // Whether no take waits.
  bool idle() const { return queue_.empty() && in_flight_.empty(); }
  const Endpoint& endpoint() const { return connection_.endpoint(); }

  void Add(std::unique_ptr<PendingTake> take);
  // Sends what was added, as far as it is time. Call it after the last Add().
  void Flush();

 private:
  struct InFlight {
    std::unique_ptr<ScriptCall> call;
    SteadyTime late_at;
    uint64_t batch = 0;       // those of one Flush() have one number
    bool sent_again = false;  // after NOSCRIPT
  };
  using Calls = std::list<InFlight>;

  void OnReady() override;
  void OnBroken(const absl::Status& why) override;

  void Send(Calls::iterator call);
  void OnReply(Calls::iterator call, const absl::StatusOr<ReplyView>& reply);
  void Conclude(ScriptCall& call, const absl::StatusOr<ReplyView>& reply);
  bool Refused(ScriptCall& call, const ReplyView& error);
  void SendBatch();
  size_t BatchesInFlight() const;
  void OnTimer();
  void ExpireTakes(PendingTakes& takes, SteadyTime now);
  static void FailAll(PendingTakes& takes, const absl::Status& status);
  void WakeBy(SteadyTime time);
  void UpdateUsable();

  const PipelineParts parts_;
  const std::unique_ptr<EndpointSource> source_;
  PipelineOwner* const owner_;
  Connection connection_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  PendingTakes queue_;
  Calls in_flight_;
  uint64_t next_batch_ = 0;
  bool settled_ = false;
  SteadyTime wake_at_ = SteadyTime::max();
  std::string last_error_;
  LogThrottle log_;
  std::atomic<bool> usable_{false};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_PIPELINE_H_
