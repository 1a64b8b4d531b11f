#ifndef RLS_LIMITER_DECISION_H_
#define RLS_LIMITER_DECISION_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "base/recycled.h"
#include "limiter/decision_parts.h"
#include "limiter/limiter.h"
#include "limiter/query.h"
#include "limiter/usage.h"
#include "rules/rule_book.h"
#include "store/counter_store.h"

namespace rls {

// One request on its way: the limits that apply, the charges that follow from
// them, and the verdict that the store's outcomes make. No I/O. When it asks
// for tiers, SetTier() comes first; then MakeCharges(), Settle(), and Judge().
//
// Threads: none; its owner hands it on.
// Lifetime: `query` must outlive it; it keeps the rule snapshot alive.
class Decision : public Recycled<Decision> {
 public:
  Decision(std::shared_ptr<const RuleBook> book, const Domain& domain,
           const Query& query);
  Decision(const Decision&) = delete;
  Decision& operator=(const Decision&) = delete;

  // The domain's tier source, when any descriptor's user is to be asked for.
  TierSource* tier_source() const {
    return asks_ == 0 ? nullptr : domain_.tier_source();
  }
  size_t descriptors() const { return matches_.size(); }
  // The user of a descriptor that is to be asked for; none of the others'.
  std::optional<absl::string_view> UserToAsk(size_t descriptor) const;
  // The answer. May be called for several descriptors at once.
  void SetTier(size_t descriptor, absl::string_view tier);

  void MakeCharges();
  absl::Span<const Charge> charges() const { return charges_; }
  Accounting accounting() const { return domain_.accounting(); }
  absl::Time deadline() const {
    return settles() ? absl::InfiniteFuture() : query_.deadline;
  }

  // Whether it reports the usage of requests that may have reserved some. Then
  // these charges tell, and end the reservations, before any others are taken;
  // Settle() hears their outcomes and leaves in charges() what is still due.
  bool settles() const { return rare_ != nullptr && !rare_->reports.empty(); }
  absl::Span<const Charge> settling_charges() const {
    return rare_->settling_charges;
  }
  void Settle(absl::Span<const Outcome> outcomes);

  bool queues() const { return queues_; }  // whether a limit of it does
  QueueRule queue_rule() const;  // the most that all of them let it wait
  // Before the charges are taken: those that queue may wait as long as that.
  // `too_short` counts those for which it was.
  void LetWait(absl::Duration longest, Counter& too_short);
  Counter& too_short() const { return *waiting_->too_short; }

  // The verdict, from one outcome per charge. Counts what it decides, unless it
  // must wait: then Serve() or Refuse() does.
  const Verdict& Judge(absl::Span<const Outcome> outcomes);

  // After Judge(): until then the answer is to be held; zero: it is not.
  absl::Duration wait() const {
    return waiting_ == nullptr ? absl::ZeroDuration() : waiting_->wait;
  }
  // Whether a limit that queues refused it, which would have let it wait
  // longer; and whether that was because too many wait.
  bool impatient() const { return waiting_ != nullptr && waiting_->impatient; }
  bool crowded() const { return waiting_ != nullptr && waiting_->crowded; }

  // What it has booked, and charges that give it back; after LetWait() only.
  using Booked = BookedSlot;
  absl::Span<const Booked> booked() const { return waiting_->booked; }
  absl::Span<const Charge> GiveBack(absl::Span<const Booked> booked);
  // The verdict of one that has waited, or could not and may come back later.
  const Verdict& Serve();
  const Verdict& Refuse(absl::Duration retry_after);

  // After the charges were taken, before Judge(): whether a request that is
  // over limits may pass on a cheaper model, as all of these limits say. Then
  // charges() are what is left to take: what other limits ask for, and what
  // holds degraded traffic. Once only.
  bool Degrade(absl::Span<const Outcome> outcomes);

  const Query& query() const { return query_; }
  const Domain& domain() const { return domain_; }

  // When the store could not answer: does any charged rule want this?
  bool Wants(OnBackendError policy) const;
  // The verdict when nothing can be counted: rules that deny are over.
  const Verdict& JudgeWithoutStore();
  // Drops the charges of all rules but those that count locally meanwhile, and
  // makes the limits of these the share of one of `replicas`: it is_local().
  void KeepLocalCharges(int replicas);
  bool is_local() const { return is_local_; }

  Limiter::CheckCallback done;

 private:
  RareParts& Rare();
  void FindLimits();
  void DropReplaced();
  int64_t HitsOf(const Descriptor& descriptor) const;
  void AddLimits(size_t descriptor);
  void AddLimit(size_t descriptor, const CompiledRule* rule,
                const Policy& policy, Asked asked);
  CounterKey ReservationKey(size_t descriptor, const Usage& usage);
  void Reserve(size_t limit, const Usage& usage);
  void AddSettlement(size_t first_charge, const Usage& usage);
  void KeepCharges(OnBackendError policy);
  OnBackendError PolicyOf(size_t charge) const;
  void Apply(const Outcome& outcome, size_t charge);
  void ApplyDegraded(const Outcome& outcome, size_t charge);
  void Book(const Outcome& outcome, size_t charge);
  const DegradeRule* DegradeOf(size_t charge) const;
  absl::string_view ValueOf(absl::string_view key) const;
  void Conclude();
  void ShowLimits();
  void Count();

  const std::shared_ptr<const RuleBook> book_;
  const Domain& domain_;
  const Query& query_;
  absl::InlinedVector<Match, kUsualDescriptors> matches_;  // by descriptor
  size_t asks_ = 0;  // descriptors whose user is to be asked for
  absl::InlinedVector<Charge, kUsualDescriptors> charges_;
  absl::InlinedVector<AppliedLimit, kUsualDescriptors> limits_;
  // charges_[i] is of this limit.
  absl::InlinedVector<size_t, kUsualDescriptors> charged_;
  bool queues_ = false;
  bool is_local_ = false;
  // Since Degrade(), by charge: whose limit of degraded traffic it is, or null.
  std::vector<const DegradeRule*> degraded_;
  std::unique_ptr<Waiting> waiting_;  // since LetWait()
  std::unique_ptr<RareParts> rare_;   // Rare() makes it
  Verdict verdict_;
};

}  // namespace rls

#endif  // RLS_LIMITER_DECISION_H_
