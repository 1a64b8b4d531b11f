#include "limiter/count_statistics.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "rules/secret_keys.h"
#include "rules/statistics_path.h"

namespace rls {
namespace {

// Appends the level that LevelName() names. Makes no allocation if the value is
// no secret.
void AppendSent(const Entry& entry, bool secret, std::string& path) {
  if (secret) {
    Statistics::AppendLevel(LevelName(entry.key, entry.value, true), path);
    return;
  }
  path.append(entry.key.data(), entry.key.size());
  if (!entry.value.empty()) path.push_back('_');
  Statistics::AppendLevel(entry.value, path);
}

// The path of the entries as sent, or by the levels of the rule.
HitStatistics* HitsOfEntries(absl::string_view domain,
                             const Descriptor& descriptor,
                             const RuleStatistics* rule,
                             Statistics& statistics) {
  thread_local std::string path;  // keeps its memory
  path.clear();
  Statistics::AppendLevel(domain, path);
  for (size_t i = 0; i < descriptor.entries.size(); ++i) {
    if (path.size() > kMaxPathBytes) return nullptr;
    const Entry& entry = descriptor.entries[i];
    if (rule == nullptr) {
      AppendSent(entry, HoldsSecrets(entry.key), path);
    } else if (rule->levels[i].is_sent) {
      AppendSent(entry, rule->levels[i].secret, path);
    } else {
      Statistics::AppendLevel(rule->levels[i].name, path);
    }
  }
  return statistics.OfValues(path);
}

// Where the hits of the limit count. Without a place in a table, the hits of a
// value count under the path of its rule.
HitStatistics& HitsOf(const Taken& request, const AppliedLimit& limit,
                      Statistics& statistics) {
  const CompiledRule* const rule = limit.status.rule;
  const RuleStatistics* const own =
      rule == nullptr ? nullptr : rule->statistics.get();
  if (rule != nullptr && own == nullptr) return statistics.unnamed();
  if (own != nullptr && own->levels.empty()) return *own->hits;
  HitStatistics* const hits = HitsOfEntries(
      request.domain().name(), request.query().descriptors[limit.descriptor],
      own, statistics);
  if (hits != nullptr) return *hits;
  return own != nullptr ? *own->hits : statistics.unnamed();
}

uint64_t Positive(int64_t amount) {
  return amount > 0 ? static_cast<uint64_t>(amount) : 0;
}

}  // namespace

HitCounts HitsOfCharge(const ChargedLimit& charge, float near_limit_ratio) {
  HitCounts hits = {};
  const int64_t cost = charge.cost;
  At(hits, Hit::kTotal) = Positive(cost);
  // In 32 bits, as in envoyproxy/ratelimit, so that the numbers are equal.
  const auto near = static_cast<int64_t>(
      std::floor(static_cast<float>(charge.limit) * near_limit_ratio));
  if (!charge.over) {
    At(hits, Hit::kWithin) = Positive(cost);
    const int64_t after = charge.limit - charge.left;
    At(hits, Hit::kNear) = Positive(std::min(cost, after - near));
    return hits;
  }
  const int64_t left = std::clamp<int64_t>(charge.left, 0, cost);
  At(hits, Hit::kOver) = Positive(cost - left);
  At(hits, Hit::kNear) = Positive(std::min(left, charge.limit - near));
  if (charge.from_memory) At(hits, Hit::kOverInMemory) = Positive(cost);
  if (charge.shadowed) At(hits, Hit::kShadow) = At(hits, Hit::kOver);
  return hits;
}

void CountStatistics(const Taken& request, Statistics& statistics) {
  const bool denied = request.is_over_limit() &&
                      request.accounting() == Accounting::kAllOrNothing;
  for (const AppliedLimit& limit : request.limits()) {
    const LimitStatus& status = limit.status;
    if (status.policy == nullptr || limit.cost <= 0) continue;
    const bool over = status.over_limit || status.degraded || limit.shadowed;
    if (OnlyLooks(limit.kind) && !over) continue;
    int64_t left = over ? limit.left_before : status.remaining;
    // Not charged because another limit refused. The hits count as if they had
    // been charged, so that a refusal hides no traffic of the other limits.
    if (denied && !over && !AlwaysCharges(limit.kind)) left -= limit.cost;
    HitsOf(request, limit, statistics)
        .Add(HitsOfCharge({.limit = status.policy->limit,
                           .cost = limit.cost,
                           .left = left,
                           .over = over,
                           .shadowed = limit.shadowed,
                           .from_memory = limit.from_memory},
                          statistics.near_limit_ratio()));
  }
}

}  // namespace rls
