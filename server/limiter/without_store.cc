#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "limiter/steps.h"
#include "rules/domain_spec.h"

namespace rls {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(5);

// Nothing is known about a reset. A client that comes back after a second is
// served soon enough and is no flood.
constexpr absl::Duration kRetryAfterDenial = absl::Seconds(1);

// A request that is counted in this process.
struct LocalState final : StepState {
  std::vector<Policy> shares;  // by charge
};

// The part of a limit that one of `replicas` processes may admit. Together they
// never admit more than the limit, unless the limit is smaller than their
// number.
Policy ShareOf(const Policy& policy, int replicas) {
  Policy share = policy;
  if (policy.limit > 0) {
    share.limit = std::max<int64_t>(1, policy.limit / replicas);
  }
  share.burst = policy.burst / replicas;
  return share;
}

OnBackendError PolicyOf(const Planned& request, size_t charge) {
  const CompiledRule* rule = request.limit(charge).status.rule;
  return rule == nullptr ? OnBackendError::kError : rule->on_backend_error;
}

// Whether any charged rule has this policy.
bool Wants(const Planned& request, OnBackendError policy) {
  for (size_t i = 0; i < request.charges().size(); ++i) {
    if (PolicyOf(request, i) == policy) return true;
  }
  return false;
}

// Drops all charges but those of rules with this policy. The other limits do
// not apply while nothing can be counted for them. Records are dropped in any
// case: only the shared store could give their units back.
void KeepCharges(Demand& request, OnBackendError policy) {
  request.RemoveChargesIf([&](size_t charge) {
    if (PolicyOf(request, charge) == policy) {
      return request.role(charge) == ChargeRole::kRecord;
    }
    request.limit(charge).status = LimitStatus{};
    return true;
  });
}

class WithoutStore final : public Step<Taken> {
 public:
  explicit WithoutStore(const WithoutStoreDependencies& dependencies)
      : dependencies_(dependencies),
        flow_(dependencies.flow),
        error_(CounterOf(dependencies.metrics, "error")),
        allow_(CounterOf(dependencies.metrics, "allow")),
        deny_(CounterOf(dependencies.metrics, "deny")),
        local_(CounterOf(dependencies.metrics, "local")),
        log_(dependencies.clock, kLogInterval) {}

  bool Concerns(const Taken& request) const override {
    return !request.status().ok();
  }

  void Run(Taken request) override {
    const absl::Status status = request.status();
    if (request.FindState<LocalState>(this) != nullptr) {
      flow_.Fail(std::move(request), absl::UnavailableError(status.message()));
    } else if (absl::IsDeadlineExceeded(status)) {
      flow_.Fail(std::move(request), status);
    } else {
      Decide(std::move(request), status);
    }
  }

 private:
  static Counter& CounterOf(Metrics& metrics, const char* policy) {
    return metrics.GetCounter(
        {.name = "ratelimitd_degraded_total",
         .help = "Requests that the store could not answer, by what was done",
         .labels = {{"policy", policy}}});
  }

  // One rule with `error` outweighs all others. One rule with `deny` outweighs
  // those that allow.
  void Decide(Taken request, const absl::Status& status) {
    if (Wants(request, OnBackendError::kError)) {
      Note(error_, "failed", status);
      flow_.Fail(std::move(request),
                 absl::IsResourceExhausted(status)
                     ? absl::UnavailableError(status.message())
                     : status);
    } else if (Wants(request, OnBackendError::kDeny)) {
      Note(deny_, "denied", status);
      AnswerUncounted(std::move(request));
    } else if (!Wants(request, OnBackendError::kLocal)) {
      Note(allow_, "allowed", status);
      AnswerUncounted(std::move(request));
    } else {
      Note(local_, "counted locally", status);
      CountLocally(std::move(request));
    }
  }

  // Rules that deny are over their limit, all other limits do not apply.
  void AnswerUncounted(Taken request) {
    Demand demand = std::move(request).Again();
    KeepCharges(demand, OnBackendError::kDeny);
    Outcome denied;
    denied.allowed = false;
    denied.retry_after = kRetryAfterDenial;
    const std::vector<Outcome> outcomes(demand.charges().size(), denied);
    flow_.Answer(std::move(demand).Answered(outcomes));
  }

  void CountLocally(Taken request) {
    Demand demand = std::move(request).Again();
    KeepCharges(demand, OnBackendError::kLocal);
    std::vector<Policy>& shares = demand.MakeState<LocalState>(this).shares;
    shares.reserve(demand.charges().size());  // the charges point into it
    for (size_t i = 0; i < demand.charges().size(); ++i) {
      Charge& charge = demand.charge(i);
      shares.push_back(ShareOf(*charge.policy, dependencies_.replicas));
      charge.policy = &shares.back();
      charge.booking = nullptr;  // no request waits for a store that is away
    }
    demand.set_store(dependencies_.local_store);
    flow_.Take(std::move(demand));
  }

  void Note(Counter& counter, absl::string_view done,
            const absl::Status& status) {
    counter.Add(1);
    log_.Warn(absl::StrCat("requests are ", done,
                           " without the store: ", status.message()));
  }

  const WithoutStoreDependencies dependencies_;
  Flow& flow_;
  Counter& error_;
  Counter& allow_;
  Counter& deny_;
  Counter& local_;
  LogThrottle log_;
};

}  // namespace

std::unique_ptr<Step<Taken>> NewWithoutStore(
    const WithoutStoreDependencies& dependencies) {
  return std::make_unique<WithoutStore>(dependencies);
}

}  // namespace rls
