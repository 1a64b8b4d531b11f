#ifndef RLS_LIMITER_USAGE_H_
#define RLS_LIMITER_USAGE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "limit/charge.h"
#include "limiter/query.h"
#include "rules/domain_spec.h"

namespace rls {

// What a descriptor says of tokens (UsageSpec).
struct Usage {
  bool is_report = false;
  // What it costs, or has cost; none when nobody knows yet. Of a report the
  // descriptor's own hits are the usage, else the entry, else the hits of the
  // query: 0 when none of them is there, as of a request that was refused.
  std::optional<int64_t> tokens;
  absl::string_view request_id;  // "": none
};

Usage ReadUsage(const UsageSpec& spec, const Query& query,
                const Descriptor& descriptor);

// How a charge is asked for.
struct Asked {
  int64_t cost = 0;
  ChargeKind kind = ChargeKind::kEnforce;
};

// What a descriptor asks of a limit of tokens. `hits` as HitsOf() has them: 0
// looks, a negative number refunds.
Asked TokensAsked(const Rule& rule, int64_t hits, const Usage& usage);

}  // namespace rls

#endif  // RLS_LIMITER_USAGE_H_
