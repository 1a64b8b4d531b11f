#ifndef RLS_LIMITER_PHASES_H_
#define RLS_LIMITER_PHASES_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "limit/charge.h"
#include "limiter/applied_limit.h"
#include "limiter/modes.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// A request on its way through the limiter passes three phases. Each phase is
// a type that owns the request, and only the conversions below lead from one
// phase to another:
//
//   Matched     the rules that match each descriptor
//     Plan()
//   Demand      the charges that these rules ask the store for
//     Answered(), Failed()
//   Taken       the answer of the store
//     Again()   back to Demand, for another take
//     Conclude()
//   Verdict
//
// A phase does no I/O. limiter/flow.h moves requests from phase to phase.
//
// Threads: not thread-safe. The owner may pass the request to another thread.
// Lifetime: the query must outlive the request. The request keeps the rule
// snapshot alive. A moved-from phase may only be destroyed.

// How a charge belongs to its limit.
enum class ChargeRole {
  // The charge of the limit itself.
  kLimit,
  // A record beside the charge of the limit, for example of a reservation. Only
  // the shared store can keep it. If the store allows it, the verdict does not
  // show it. If the store refuses it, the limit is over.
  kRecord,
  // A charge of a second limit, in place of the first one, which was over. If
  // the store refuses it, the limit is over after all.
  kSubstitute,
};

// The data that one step (limiter/flow.h) keeps for one request. Charges may
// point into it.
class StepState {
 public:
  StepState() = default;
  StepState(const StepState&) = delete;
  StepState& operator=(const StepState&) = delete;
  virtual ~StepState() = default;

 private:
  friend class Phase;
  const void* step_ = nullptr;
  std::unique_ptr<StepState> next_;
};

struct Decision;  // the data of a request; phases.cc
struct DecisionDeleter {
  void operator()(Decision* decision) const;
};

// The common part of all phases.
class Phase {
 public:
  using DoneCallback = absl::AnyInvocable<void(absl::StatusOr<const Verdict*>)>;

  Phase(Phase&&) noexcept = default;
  Phase& operator=(Phase&&) noexcept = default;

  const Query& query() const;
  const Domain& domain() const;

  // The state of `step` for this request. Null before MakeState().
  template <typename State>
  State* FindState(const void* step) const {
    return static_cast<State*>(Find(step));
  }
  // Call at most once for each step and request.
  template <typename State>
  State& MakeState(const void* step) {
    auto state = std::make_unique<State>();
    State& made = *state;
    Add(step, std::move(state));
    return made;
  }

 protected:
  explicit Phase(Decision* decision) : decision_(decision) {}
  ~Phase() = default;

  std::unique_ptr<Decision, DecisionDeleter> decision_;

 private:
  friend class Flow;

  StepState* Find(const void* step) const;
  void Add(const void* step, std::unique_ptr<StepState> state);

  DoneCallback& done();
  size_t& next_step();  // of those for this phase
};

class Demand;
class Taken;

// Phase 1: the rules that match each descriptor.
class Matched final : public Phase {
 public:
  // `modes` must outlive the request.
  Matched(std::shared_ptr<const RuleBook> book, const Domain& domain,
          const Query& query, const DecisionModes& modes, DoneCallback done);

  // By descriptor. A limit override has no rule.
  absl::Span<Match> matches();
  absl::Span<const Match> matches() const;

  // Drops the rules that other matched rules replace, and makes a charge for
  // each limit of each rule that is left.
  Demand Plan() &&;
};

// The common part of Demand and Taken: charges, and the limits to which they
// belong.
class Planned : public Phase {
 public:
  absl::Span<const Charge> charges() const;
  AppliedLimit& limit(size_t charge);
  const AppliedLimit& limit(size_t charge) const;

  ChargeRole role(size_t charge) const;

  // All limits, those without a charge too.
  absl::Span<const AppliedLimit> limits() const;

  Accounting accounting() const;

 protected:
  explicit Planned(Decision* decision) : Phase(decision) {}
};

// Phase 2: the charges that the rules ask the store for.
class Demand final : public Planned {
 public:
  Charge& charge(size_t charge);
  // Sets the cost and the kind of a charge and of its limit. If a mode of the
  // process lets no limit refuse by itself, kEnforce becomes kObserve.
  void SetCost(size_t charge, int64_t cost, ChargeKind kind);
  const Match& match(size_t descriptor) const;

  // Units that a descriptor charges to its limits of requests. 0: a look
  // without a charge; negative: a refund.
  int64_t hits(size_t descriptor) const;

  // Adds a record beside the charge `beside`.
  void AddRecord(size_t beside, const Charge& charge);
  // charge(charge) is now that of a second limit.
  void MakeSubstitute(size_t charge);

  // Removes the charges for which `is_removed` is true. Later charges move up.
  // Their limits keep their status.
  void RemoveChargesIf(absl::FunctionRef<bool(size_t)> is_removed);

  // The time until which the store's answer is of use. Default: the query's.
  absl::Time deadline() const;
  void set_deadline(absl::Time deadline);

  // The store to ask. Null, the default: the shared one.
  CounterStore* store() const;
  void set_store(CounterStore& store);

  // One outcome for each charge. The span must live until the steps for Taken
  // have returned. The limits copy all that the verdict needs.
  Taken Answered(absl::Span<const Outcome> outcomes) &&;
  Taken Failed(absl::Status status) &&;

 private:
  friend class Matched;
  friend class Taken;
  explicit Demand(Decision* decision) : Planned(decision) {}

  void Apply(const Outcome& outcome, size_t charge);
};

// Phase 3: the answer of the store.
class Taken final : public Planned {
 public:
  // OK, or the reason why the store did not answer. See CounterStore for the
  // codes.
  const absl::Status& status() const;
  // One for each charge. Empty if the store did not answer. Valid only while
  // the first steps for Taken run: a step that keeps the request copies them.
  absl::Span<const Outcome> outcomes() const;

  // Whether the limits refuse the request now. Quota rules refuse a request
  // only if all quota rules of the request are over. SHADOW_MODE refuses
  // nothing.
  bool is_over_limit() const;

  // The request was held for `wait`: its limits reset that much sooner.
  void ShortenResets(absl::Duration wait);

  // The request passes on a cheaper model unless a limit refuses it.
  void Degrade(const DegradeRule& rule, absl::string_view model);
  bool is_degraded() const;

  Demand Again() &&;

  // Makes the verdict from the limits and counts it in their metrics. Call
  // once, at the end. The verdict lives as long as this request.
  const Verdict& Conclude();

 private:
  friend class Demand;
  explicit Taken(Decision* decision) : Planned(decision) {}

  void ShowLimits();
  void Count();
};

}  // namespace rls

#endif  // RLS_LIMITER_PHASES_H_
