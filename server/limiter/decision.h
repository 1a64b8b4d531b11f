#ifndef RLS_LIMITER_DECISION_H_
#define RLS_LIMITER_DECISION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "limiter/limiter.h"
#include "limiter/query.h"
#include "limiter/verdict.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// One request on its way: the limits that apply to it, the charges that follow
// from them, and the verdict that the store's outcomes make. No I/O.
//
// Threads: none; its owner hands it on.
// Lifetime: `query` must outlive it; it keeps the rule snapshot alive.
class Decision {
 public:
  Decision(std::shared_ptr<const RuleBook> book, const Domain& domain,
           const Query& query);
  Decision(const Decision&) = delete;
  Decision& operator=(const Decision&) = delete;

  absl::Span<const Charge> charges() const { return charges_; }
  Accounting accounting() const { return domain_.accounting(); }
  absl::Time deadline() const { return query_.deadline; }

  // The verdict, from one outcome per charge. Counts what it decides.
  const Verdict& Judge(absl::Span<const Outcome> outcomes);

  // When the store could not answer: does any charged rule want this?
  bool Wants(OnBackendError policy) const;
  // The verdict when nothing can be counted: rules that deny are over.
  const Verdict& JudgeWithoutStore();
  // Drops the charges of all rules but those that count locally meanwhile, and
  // makes the limits of these the share of one of `replicas`.
  absl::Span<const Charge> KeepLocalCharges(int replicas);

  Limiter::CheckCallback done;

 private:
  // What is known of one descriptor, beside its status.
  struct Slot {
    Match match;
    std::string own_scope;  // of a caller's own limit
  };

  void FindLimits();
  void DropReplaced();
  void MakeCharges();
  int64_t CostOf(const Descriptor& descriptor) const;
  void KeepCharges(OnBackendError policy);
  OnBackendError PolicyOf(size_t charge) const;
  void Apply(const Outcome& outcome, size_t charge);
  void Conclude();

  const std::shared_ptr<const RuleBook> book_;
  const Domain& domain_;
  const Query& query_;
  absl::InlinedVector<Slot, 2> slots_;
  absl::InlinedVector<Charge, 2> charges_;
  absl::InlinedVector<size_t, 2> charged_;  // charges_[i] is of this descriptor
  std::vector<Policy> shares_;              // of local charges
  Verdict verdict_;
};

}  // namespace rls

#endif  // RLS_LIMITER_DECISION_H_
