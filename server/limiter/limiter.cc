#include "limiter/limiter.h"

#include <memory>
#include <utility>

#include "limiter/flow.h"
#include "limiter/queue.h"
#include "limiter/steps.h"

namespace rls {
namespace {

class LimiterImpl final : public Limiter {
 public:
  explicit LimiterImpl(const LimiterDependencies& dependencies)
      : flow_(dependencies.rules, dependencies.store, dependencies.modes,
              dependencies.metrics),
        tier_lookup_(NewTierLookup(flow_)),
        usage_(NewUsage(flow_, dependencies.store)),
        without_store_(NewWithoutStore({.flow = flow_,
                                        .local_store = dependencies.local_store,
                                        .replicas = dependencies.replicas,
                                        .clock = dependencies.clock,
                                        .metrics = dependencies.metrics})),
        degrade_(NewDegrade(flow_)),
        queue_(NewQueue({.flow = flow_,
                         .loop = dependencies.loop,
                         .store = dependencies.store,
                         .clock = dependencies.clock,
                         .metrics = dependencies.metrics})),
        take_begin_(NewTakeBegin(flow_)),
        take_end_(NewTakeEnd(flow_)) {
    // Match, plan:
    flow_.Add(*tier_lookup_);
    // Before the take. Usage decides the costs for which the queue books.
    flow_.Add(*usage_);
    flow_.Add(static_cast<Step<Demand>&>(*queue_));
    if (dependencies.traces_takes) {
      flow_.Add(*take_begin_);
      flow_.Add(*take_end_);
    }
    // After the take. A request waits only if it could not degrade.
    flow_.Add(*without_store_);
    flow_.Add(*degrade_);
    flow_.Add(static_cast<Step<Taken>&>(*queue_));
    watch_ = dependencies.rules.OnChange(
        [this, &rules = dependencies.rules] { queue_->Recheck(rules.Get()); });
  }

  void Check(const Query& query, CheckCallback done) override {
    flow_.Start(query, std::move(done));
  }

  void Drain(absl::Duration grace) override { queue_->Drain(grace); }

 private:
  Flow flow_;
  const std::unique_ptr<Step<Matched>> tier_lookup_;
  const std::unique_ptr<Step<Demand>> usage_;
  const std::unique_ptr<Step<Taken>> without_store_;
  const std::unique_ptr<Step<Taken>> degrade_;
  const std::unique_ptr<Queue> queue_;
  const std::unique_ptr<Step<Demand>> take_begin_;
  const std::unique_ptr<Step<Taken>> take_end_;
  std::shared_ptr<const RuleBookHolder::Watch> watch_;
};

}  // namespace

std::unique_ptr<Limiter> NewLimiter(const LimiterDependencies& dependencies) {
  return std::make_unique<LimiterImpl>(dependencies);
}

}  // namespace rls
