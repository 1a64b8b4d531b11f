#include "limiter/limiter.h"

#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "limiter/decision.h"

namespace rls {
namespace {

class LimiterImpl final : public Limiter {
 public:
  explicit LimiterImpl(const LimiterParts& parts)
      : parts_(parts),
        unknown_domain_(parts.metrics.GetCounter(
            {.name = "ratelimitd_unknown_domain_total",
             .help = "Requests for a domain that no configuration names"})),
        degraded_(parts.metrics.GetCounter(
            {.name = "ratelimitd_degraded_total",
             .help = "Requests answered by a rule's on_backend_error"})) {}

  void Check(const Query& query, CheckCallback done) override {
    std::shared_ptr<const RuleBook> book = parts_.rules.Get();
    if (!book->loaded) {
      done(absl::FailedPreconditionError("no configuration is loaded yet"));
      return;
    }
    const Domain* domain = book->Find(query.domain);
    if (domain == nullptr) {
      unknown_domain_.Add(1);
      Verdict verdict;
      verdict.statuses.resize(query.descriptors.size());
      done(&verdict);
      return;
    }
    auto decision = std::make_unique<Decision>(std::move(book), *domain, query);
    decision->done = std::move(done);
    Charge(std::move(decision));
  }

 private:
  void Charge(std::unique_ptr<Decision> decision) {
    Decision& d = *decision;
    if (d.charges().empty()) {
      d.done(&d.Judge({}));
      return;
    }
    parts_.store.Take(
        d.charges(), d.accounting(), d.deadline(),
        [this, decision = std::move(decision)](
            absl::StatusOr<absl::Span<const Outcome>> outcomes) mutable {
          if (outcomes.ok()) {
            decision->done(&decision->Judge(*outcomes));
          } else {
            Degrade(std::move(decision), outcomes.status());
          }
        });
  }

  // The store could not answer: what the rules say for that case. One rule that
  // wants the error outweighs all others, one that denies those that allow.
  void Degrade(std::unique_ptr<Decision> decision, const absl::Status& status) {
    Decision& d = *decision;
    if (absl::IsDeadlineExceeded(status) || d.Wants(OnBackendError::kError)) {
      d.done(absl::IsResourceExhausted(status)
                 ? absl::UnavailableError(status.message())
                 : status);
      return;
    }
    degraded_.Add(1);
    if (d.Wants(OnBackendError::kDeny) || !d.Wants(OnBackendError::kLocal)) {
      d.done(&d.JudgeWithoutStore());
      return;
    }
    parts_.local_store.Take(
        d.KeepLocalCharges(), d.accounting(), d.deadline(),
        [decision = std::move(decision)](
            absl::StatusOr<absl::Span<const Outcome>> outcomes) mutable {
          if (outcomes.ok()) {
            decision->done(&decision->Judge(*outcomes));
          } else {
            decision->done(absl::UnavailableError(outcomes.status().message()));
          }
        });
  }

  const LimiterParts parts_;
  Counter& unknown_domain_;
  Counter& degraded_;
};

}  // namespace

std::unique_ptr<Limiter> NewLimiter(const LimiterParts& parts) {
  return std::make_unique<LimiterImpl>(parts);
}

}  // namespace rls
