#ifndef RLS_STORE_REDIS_PIPELINE_H_
#define RLS_STORE_REDIS_PIPELINE_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "net/event_loop.h"
#include "store/redis/connection.h"
#include "store/redis/discovery.h"
#include "store/redis/redis_target.h"
#include "store/redis/refusals.h"
#include "store/redis/script_call.h"

namespace rls {

struct PipelineDependencies {
  StreamDependencies stream;
  const Clock& clock;
  CounterListener& listener;
  Refusals& refusals;
  SteadyDuration command_timeout;
  RedisAccess access;
};

class Pipeline;

// The owner of several pipelines, one for each master of a cluster.
class PipelineOwner {
 public:
  virtual ~PipelineOwner() = default;

  // The master has changed nothing for these takes of one script call, for a
  // reason that `error` gives: another master has their slot, the slot is being
  // moved, or no master has the slot. No element of `takes` is null.
  virtual void OnRefused(Pipeline& pipeline, PendingTakes takes,
                         absl::string_view error) = 0;

  // usable() or attempted() has changed, or another attempt to connect has
  // failed.
  virtual void OnChange(Pipeline& pipeline) = 0;
};

// Sends the takes of one loop to one master: collects takes while earlier
// script calls are in flight, sends them together, and answers each take within
// its time limit.
//
// A server that does not reply within the command timeout is late. Until the
// overdue replies come, the pipeline sends nothing more and fails new takes
// immediately: this is the circuit breaker. If the server stays late, the
// pipeline connects again. A script call is never sent twice, unless the server
// has reported that it did not run the script.
//
// Threads: the loop's only, except usable() and attempted().
// Lifetime: must not be destroyed within the methods of its owner.
class Pipeline final : public Connection::Owner {
 public:
  // `source` finds the master. A null `owner` means that this is the only
  // pipeline.
  Pipeline(const PipelineDependencies& dependencies,
           std::unique_ptr<EndpointSource> source, PipelineOwner* owner);
  ~Pipeline() override;  // fails the takes that wait
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  void Open() { connection_.Open(); }

  // Whether the master is connected and not late. Any thread may call it.
  bool usable() const { return usable_.load(std::memory_order_relaxed); }

  // Whether the first attempt to connect has ended. Takes that are added before
  // that wait for it. Any thread may call it.
  bool attempted() const { return attempted_.load(std::memory_order_acquire); }
  // Whether no take waits.
  bool idle() const { return queue_.empty() && in_flight_.empty(); }
  const Endpoint& endpoint() const { return connection_.endpoint(); }

  void Add(std::unique_ptr<PendingTake> take);
  // Sends the added takes unless too many batches are in flight; then the takes
  // are sent when a reply has come. Call it after the last Add().
  void Flush();

 private:
  struct InFlight {
    std::unique_ptr<ScriptCall> script_call;
    SteadyTime late_at;
    uint64_t batch = 0;       // script calls of one batch share a number
    bool sent_again = false;  // after NOSCRIPT
  };
  using ScriptCalls = std::list<InFlight>;

  void OnReady() override;
  void OnBroken(const absl::Status& why) override;
  void OnMissingRights(absl::string_view commands) override;
  void SetRefused(absl::string_view error);

  void Send(ScriptCalls::iterator it);
  void OnReply(ScriptCalls::iterator it,
               const absl::StatusOr<ReplyView>& reply);
  void Conclude(ScriptCall& script_call,
                const absl::StatusOr<ReplyView>& reply);
  bool HandledByOwner(ScriptCall& script_call, const ReplyView& error);
  void SendBatch();
  size_t BatchesInFlight() const;
  void OnTimer();
  void ExpireTakes(PendingTakes& takes, SteadyTime now);
  static void FailAll(PendingTakes& takes, const absl::Status& status);
  void WakeBy(SteadyTime time);
  void UpdateUsable();

  const PipelineDependencies dependencies_;
  const std::unique_ptr<EndpointSource> source_;
  PipelineOwner* const owner_;
  Connection connection_;
  const std::unique_ptr<EventLoop::Timer> timer_;
  PendingTakes queue_;
  ScriptCalls in_flight_;
  uint64_t next_batch_ = 0;
  SteadyTime wake_at_ = SteadyTime::max();
  std::string last_error_;
  std::string missing_rights_;
  bool refused_ = false;  // the last script call
  LogThrottle log_;
  std::atomic<bool> attempted_{false};
  std::atomic<bool> usable_{false};
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_PIPELINE_H_
