#include "limiter/limiter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log_throttle.h"
#include "limiter/decision.h"
#include "limiter/patience.h"
#include "limiter/tier_question.h"
#include "limiter/waiting_room.h"

namespace rls {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(5);

class LimiterImpl final : public Limiter {
 public:
  explicit LimiterImpl(const LimiterParts& parts)
      : parts_(parts),
        unknown_domain_(parts.metrics.GetCounter(
            {.name = "ratelimitd_unknown_domain_total",
             .help = "Requests for a domain that no configuration names"})),
        error_(WithoutStore(parts.metrics, "error")),
        allow_(WithoutStore(parts.metrics, "allow")),
        deny_(WithoutStore(parts.metrics, "deny")),
        local_(WithoutStore(parts.metrics, "local")),
        log_(parts.clock, kLogInterval),
        patience_(parts.clock, parts.metrics),
        room_(parts.loop, parts.store, parts.metrics,
              [this](std::unique_ptr<Decision> decision) {
                Check(decision->query(), std::move(decision->done));
              }) {
    parts_.rules.OnChange([this] { AskAgainWhoseRulesChanged(); });
  }

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
    if (decision->tier_source() == nullptr) {
      Proceed(std::move(decision));
      return;
    }
    AskTiers(std::move(decision), [this](std::unique_ptr<Decision> told) {
      Proceed(std::move(told));
    });
  }

  void Drain(absl::Duration grace) override {
    const absl::Duration left =
        std::max(absl::ZeroDuration(), grace - kAnswerTime);
    patience_.EndIn(left);
    room_.Drain(left);
  }

 private:
  static Counter& WithoutStore(Metrics& metrics, const char* policy) {
    return metrics.GetCounter(
        {.name = "ratelimitd_degraded_total",
         .help = "Requests that the store could not answer, by what was done",
         .labels = {{"policy", policy}}});
  }

  void Proceed(std::unique_ptr<Decision> decision) {
    decision->MakeCharges();
    if (decision->queues()) patience_.Give(*decision, room_.held());
    if (decision->settles()) {
      Settle(std::move(decision));
    } else {
      Charge(std::move(decision));
    }
  }

  // From here on the reservations are gone: what is due for them is charged
  // whatever the deadline, as nobody waits for the answer to a report.
  void Settle(std::unique_ptr<Decision> decision) {
    Decision& d = *decision;
    parts_.store.Take(
        d.settling_charges(), d.accounting(), absl::InfiniteFuture(),
        [this, decision = std::move(decision)](
            absl::StatusOr<absl::Span<const Outcome>> outcomes) mutable {
          if (outcomes.ok()) {
            decision->Settle(*outcomes);
            Charge(std::move(decision));
          } else {
            DecideWithoutStore(std::move(decision), outcomes.status());
          }
        });
  }

  // A request over its limit may come here a second time, degraded, and one
  // that the store could not answer as a local one.
  void Charge(std::unique_ptr<Decision> decision) {
    Decision& d = *decision;
    if (d.charges().empty()) {
      d.done(&d.Judge({}));
      return;
    }
    CounterStore& store = d.is_local() ? parts_.local_store : parts_.store;
    // Two pointers: as much as a callback keeps without allocating.
    store.Take(
        d.charges(), d.accounting(), d.deadline(),
        [this, decision = std::move(decision)](
            absl::StatusOr<absl::Span<const Outcome>> outcomes) mutable {
          if (outcomes.ok()) {
            Conclude(std::move(decision), *outcomes);
          } else if (decision->is_local()) {
            decision->done(absl::UnavailableError(outcomes.status().message()));
          } else {
            DecideWithoutStore(std::move(decision), outcomes.status());
          }
        });
  }

  void Conclude(std::unique_ptr<Decision> decision,
                absl::Span<const Outcome> outcomes) {
    if (decision->Degrade(outcomes)) {
      Charge(std::move(decision));
      return;
    }
    const Verdict& verdict = decision->Judge(outcomes);
    if (decision->wait() > absl::ZeroDuration()) {
      room_.Hold(std::move(decision), patience_.full());
      return;
    }
    if (verdict.over_limit && decision->impatient()) {
      patience_.CountRefusal(*decision);
    }
    decision->done(&verdict);
  }

  void AskAgainWhoseRulesChanged() {
    room_.Recall([book = parts_.rules.Get()](const Decision& decision) {
      return book->Find(decision.query().domain) != &decision.domain();
    });
  }

  // The store could not answer: what the rules say for that case. One rule that
  // wants the error outweighs all others, one that denies those that allow.
  void DecideWithoutStore(std::unique_ptr<Decision> decision,
                          const absl::Status& status) {
    Decision& d = *decision;
    if (absl::IsDeadlineExceeded(status)) {
      d.done(status);
      return;
    }
    if (d.Wants(OnBackendError::kError)) {
      Note(error_, "failed", status);
      d.done(absl::IsResourceExhausted(status)
                 ? absl::UnavailableError(status.message())
                 : status);
      return;
    }
    if (d.Wants(OnBackendError::kDeny)) {
      Note(deny_, "denied", status);
      d.done(&d.JudgeWithoutStore());
      return;
    }
    if (!d.Wants(OnBackendError::kLocal)) {
      Note(allow_, "allowed", status);
      d.done(&d.JudgeWithoutStore());
      return;
    }
    Note(local_, "counted locally", status);
    d.KeepLocalCharges(parts_.replicas);
    Charge(std::move(decision));
  }

  void Note(Counter& counter, absl::string_view done,
            const absl::Status& status) {
    counter.Add(1);
    log_.Warn(absl::StrCat("requests are ", done,
                           " without the store: ", status.message()));
  }

  const LimiterParts parts_;
  Counter& unknown_domain_;
  Counter& error_;
  Counter& allow_;
  Counter& deny_;
  Counter& local_;
  LogThrottle log_;
  Patience patience_;
  WaitingRoom room_;
};

}  // namespace

std::unique_ptr<Limiter> NewLimiter(const LimiterParts& parts) {
  return std::make_unique<LimiterImpl>(parts);
}

}  // namespace rls
