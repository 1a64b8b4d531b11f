#include "limiter/flow.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "limiter/count_statistics.h"

namespace rls {
namespace {

// The next step that the request concerns. Null after the last one.
template <typename InPhase>
Step<InPhase>* NextOf(const std::vector<Step<InPhase>*>& steps,
                      const InPhase& request, size_t& next) {
  while (next < steps.size()) {
    Step<InPhase>* const step = steps[next++];
    if (step->Concerns(request)) return step;
  }
  return nullptr;
}

}  // namespace

Flow::Flow(const RuleBookHolder& rules, CounterStore& store,
           const DecisionModes& modes, Metrics& metrics)
    : rules_(rules),
      store_(store),
      modes_(modes),
      unknown_domain_(metrics.GetCounter(
          {.name = "ratelimitd_unknown_domain_total",
           .help = "Requests for a domain that no configuration names"})),
      shadowed_(metrics.GetCounter(
          {.name = "ratelimitd_global_shadow_mode_total",
           .help = "Requests over a limit that SHADOW_MODE has let pass"})),
      statistics_(metrics.statistics()) {}

void Flow::Start(const Query& query, Phase::DoneCallback done) {
  std::shared_ptr<const RuleBook> book = rules_.Get();
  if (!book->loaded) {
    done(absl::FailedPreconditionError("no configuration is loaded yet"));
    return;
  }
  const Domain* domain = book->Find(query.domain);
  if (domain == nullptr) {
    unknown_domain_.Add(1);
    if (statistics_ != nullptr) statistics_->CountUnknownDomain(query.domain);
    Verdict verdict;
    verdict.query = &query;
    verdict.statuses.resize(query.descriptors.size());
    done(&verdict);
    return;
  }
  Proceed(Matched(std::move(book), *domain, query, modes_, std::move(done)));
}

void Flow::Proceed(Matched request) {
  if (auto* const step = NextOf(matched_steps_, request, request.next_step())) {
    return step->Run(std::move(request));
  }
  Proceed(std::move(request).Plan());
}

void Flow::Proceed(Demand request) {
  if (auto* const step = NextOf(demand_steps_, request, request.next_step())) {
    return step->Run(std::move(request));
  }
  Take(std::move(request));
}

void Flow::Proceed(Taken request) {
  if (auto* const step = NextOf(taken_steps_, request, request.next_step())) {
    return step->Run(std::move(request));
  }
  Answer(std::move(request));
}

void Flow::Take(Demand request) {
  const absl::Span<const Charge> charges = request.charges();
  if (charges.empty()) return Proceed(std::move(request).Answered({}));
  CounterStore& store = request.store() == nullptr ? store_ : *request.store();
  const Accounting accounting = request.accounting();
  const absl::Time deadline = request.deadline();
  // Two pointers are as much as a callback keeps without an allocation.
  store.Take(charges, accounting, deadline,
             [this, request = std::move(request)](
                 absl::StatusOr<absl::Span<const Outcome>> outcomes) mutable {
               Proceed(outcomes.ok()
                           ? std::move(request).Answered(*outcomes)
                           : std::move(request).Failed(outcomes.status()));
             });
}

void Flow::Answer(Taken request) {
  const Verdict& verdict = request.Conclude();
  if (verdict.shadowed) shadowed_.Add(1);
  if (statistics_ != nullptr) {
    CountStatistics(request, *statistics_);
    if (verdict.shadowed) statistics_->Count(ServiceCount::kGlobalShadowMode);
  }
  request.done()(&verdict);
}

void Flow::Fail(Taken request, const absl::Status& status) {
  request.done()(status);
}

void Flow::Restart(Taken request) {
  Start(request.query(), std::move(request.done()));
}

}  // namespace rls
