#ifndef RLS_TESTS_UNIT_LIMITER_LIMITER_FAKES_H_
#define RLS_TESTS_UNIT_LIMITER_LIMITER_FAKES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "metrics/metrics.h"
#include "store/counter_store.h"

namespace rls {

class FakeCounter final : public Counter {
 public:
  void Add(double amount) override { total += amount; }
  double total = 0;
};

// Counters that a test can read, by name and label values.
class FakeMetrics final : public Metrics {
 public:
  Counter& GetCounter(const MetricId& id) override {
    std::string name(id.name);
    for (const auto& label : id.labels) name += " " + label.second;
    return counters_[name];
  }
  Gauge& GetGauge(const MetricId&) override { return gauge_; }
  Histogram& GetHistogram(const MetricId&, std::vector<double>) override {
    return histogram_;
  }
  std::string Text() override { return ""; }

 private:
  class FakeGauge final : public Gauge {
    void Set(double) override {}
  };
  class FakeHistogram final : public Histogram {
    void Observe(double) override {}
  };
  std::map<std::string, FakeCounter> counters_;
  FakeGauge gauge_;
  FakeHistogram histogram_;
};

// A store in front of another one, which a test can break or delay.
class UnreliableStore final : public CounterStore {
 public:
  explicit UnreliableStore(CounterStore& inner) : inner_(inner) {}

  void Take(absl::Span<const Charge> charges, Accounting accounting,
            absl::Time deadline, TakeCallback done) override {
    ++takes;
    if (fail_after >= 0 && fail_after-- == 0) {
      done(absl::UnavailableError("broken"));
    } else if (!failure.ok()) {
      done(failure);
    } else if (is_late) {
      inner_.Take(charges, accounting, deadline,
                  [this, done = std::move(done)](
                      absl::StatusOr<absl::Span<const Outcome>> got) mutable {
                    std::vector<Outcome> outcomes(got->begin(), got->end());
                    held_.push_back([outcomes = std::move(outcomes),
                                     done = std::move(done)]() mutable {
                      done(absl::MakeConstSpan(outcomes));
                    });
                  });
    } else if (is_held) {
      held_.push_back([this, charges, accounting, deadline,
                       done = std::move(done)]() mutable {
        inner_.Take(charges, accounting, deadline, std::move(done));
      });
    } else {
      inner_.Take(charges, accounting, deadline, std::move(done));
    }
  }

  // Goes on with the takes that began while `is_held` or `is_late`.
  void Release() {
    for (auto& take : std::exchange(held_, {})) take();
  }

  absl::Status failure;
  int fail_after = -1;   // takes until the failure; -1: no failure
  bool is_held = false;  // takes wait
  bool is_late = false;  // takes are judged at once, their answers wait
  int takes = 0;

 private:
  CounterStore& inner_;
  std::vector<absl::AnyInvocable<void()>> held_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LIMITER_LIMITER_FAKES_H_
