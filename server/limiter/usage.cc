#include "limiter/usage.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "limit/reservation.h"

namespace rls {
namespace {

constexpr absl::string_view kReport = "report";

// Digits only; a number that is too large saturates.
std::optional<int64_t> ParseTokens(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t tokens = 0;
  for (const char digit : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(digit))) {
      return std::nullopt;
    }
    if (tokens < kMaxAmount) tokens = tokens * 10 + (digit - '0');
  }
  return tokens < kMaxAmount ? tokens : kMaxAmount;
}

}  // namespace

Usage ReadUsage(const UsageSpec& spec, const Query& query,
                const Descriptor& descriptor) {
  Usage usage;
  for (const Entry& entry : descriptor.entries) {
    if (entry.key == spec.report_key) {
      usage.is_report = entry.value == kReport;
    } else if (entry.key == spec.tokens_key) {
      usage.tokens = ParseTokens(entry.value);
    } else if (entry.key == spec.request_id_key) {
      usage.request_id = entry.value;
    }
  }
  if (!usage.is_report) return usage;
  if (descriptor.hits.has_value()) {
    usage.tokens = SaturateAmount(*descriptor.hits);
  } else if (!usage.tokens.has_value()) {
    usage.tokens = query.hits;
  }
  return usage;
}

Asked TokensAsked(const Rule& rule, int64_t hits, const Usage& usage) {
  const int64_t tokens = usage.tokens.value_or(0);
  const int64_t sign = hits < 0 ? -1 : 1;
  // Spent already, so charged even past the limit.
  if (usage.is_report) return {sign * tokens, ChargeKind::kReport};
  if (hits == 0 || (hits < 0 && tokens == 0)) return {0, ChargeKind::kPeek};
  if (hits < 0) return {-tokens, ChargeKind::kEnforce};
  // Not known yet, or it could not be settled: then its report is all that is
  // charged, but who has nothing left is refused.
  const bool is_charged =
      tokens > 0 && (!rule.reserves || !usage.request_id.empty());
  if (!is_charged) return {std::max<int64_t>(1, tokens), ChargeKind::kProbe};
  return {rule.reserves ? std::min(tokens, kMaxEstimate) : tokens,
          ChargeKind::kEnforce};
}

}  // namespace rls
