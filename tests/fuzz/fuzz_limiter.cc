#include "fuzz/fuzz_limiter.h"

#include <cstdio>
#include <string>
#include <utility>

#include "config/load.h"
#include "fuzz/fuzz_input.h"
#include "unit/limiter/limiter_fakes.h"

namespace rls {
namespace {

// The stores have fewer counters than the keys of an input, so that they are
// also full.
constexpr size_t kCounters = 24;

constexpr const char* kConfigs[] = {
    R"(
domain: tree
on_backend_error: local
descriptors:
  - key: a
    rate_limit: {unit: minute, requests_per_unit: 3}
    descriptors:
      - {key: b, value: "x*y", rate_limit: {unit: hour, requests_per_unit: 5}}
      - {key: b, rate_limit: {unlimited: true}}
  - key: b
    rate_limit:
      {window: 5s, requests_per_unit: 4, algorithm: token_bucket, burst: 2}
  - key: c
    shadow_mode: true
    rate_limit:
      {window: 7s, requests_per_unit: 4, algorithm: sliding_window}
  - key: d
    quota_mode: true
    rate_limit: {name: d, unit: second, requests_per_unit: 2}
  - key: e
    value: "*"
    share_threshold: true
    rate_limit: {unit: day, requests_per_unit: 9, replaces: [{name: d}]}
)",
    R"(
domain: plain
accounting: independent
on_backend_error: deny
descriptors:
  - {key: a, rate_limit: {unit: minute, requests_per_unit: 3}}
  - {key: b, rate_limit: {unit: second, requests_per_unit: 0}}
)",
    R"(
rate_limit:
  domain: queue
  default_rps: 2
  user_tiers:
    free: {rps: 1, window_seconds: 10}
    pro: {rps: 3, burst: 2, algorithm: token_bucket}
  user_assignments: {u: free, v: pro}
  enforce: queue
  queue: {max_wait: 30s, max_queued: 4, max_queued_per_user: 3}
)",
    R"(
rate_limit:
  domain: degrade
  default_rps: 2
  user_tiers:
    free: {rps: 1, burst: 2}
  user_assignments: {u: free}
  anonymous: {rps: 2, ipv4_prefix: 24}
  exempt: [w, 10.0.0.0/8]
  enforce: degrade
models:
  big: {provider: p, cost: 2}
  small: {provider: p, cost: 1}
)",
    R"(
rate_limit:
  domain: tokens
  default_rps: 5
  user_tiers:
    pro:
      limits:
        - {requests: 50, per: 1m}
        - {tokens: 100, per: 1m}
        - {requests: 60, per: day, timezone: UTC}
      reserve: estimated
  user_assignments: {u: pro}
)",
};

Metrics& NoMetrics() {
  static auto& metrics = *new FakeMetrics;
  return metrics;
}

std::shared_ptr<const RuleBook> NewBook() {
  auto book = std::make_shared<RuleBook>();
  book->loaded = true;
  for (const char* const text : kConfigs) {
    LoadedFile file = LoadConfig(text, "fuzz.yaml", ProcessEnvironment);
    for (const ConfigError& error : file.errors) {
      std::fprintf(stderr, "%s\n%s", error.ToString().c_str(), text);
    }
    Require(file.domain.has_value(), "the configuration is valid");
    auto domain = CompileDomain(*std::move(file.domain), NoMetrics());
    Require(domain.ok(), "the domain compiles");
    const std::string name = (*domain)->name();
    book->domains[name] = *std::move(domain);
  }
  return book;
}

}  // namespace

FuzzLimiter::FuzzLimiter() {
  static const auto& book = *new std::shared_ptr<const RuleBook>(NewBook());
  rules_.Set(book);
  store_ = NewMemoryStore(clock_, {.max_counters = kCounters});
  local_store_ = NewMemoryStore(clock_, {.max_counters = kCounters});
  limiter_ = NewLimiter({.rules = rules_,
                         .loop = loop_,
                         .store = *store_,
                         .local_store = *local_store_,
                         .clock = clock_,
                         .metrics = NoMetrics()});
}

void FuzzLimiter::Pass(absl::Duration time) {
  clock_.Advance(time);
  loop_.FireTimers();
}

void FuzzLimiter::Drain() { limiter_->Drain(absl::ZeroDuration()); }

}  // namespace rls
