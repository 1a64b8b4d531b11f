#include "config/lease_format.h"

#include <cmath>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace rls {
namespace {

// `5%` as millionths; none for anything else.
std::optional<int64_t> ParseShare(absl::string_view text) {
  double percent = 0;
  if (!absl::ConsumeSuffix(&text, "%") || !absl::SimpleAtod(text, &percent)) {
    return std::nullopt;
  }
  const double ppm = std::round(percent * static_cast<double>(kPpmOfPercent));
  if (!(ppm >= 1 && ppm <= static_cast<double>(kMaxLeaseSharePpm))) {
    return std::nullopt;
  }
  return static_cast<int64_t>(ppm);
}

}  // namespace

void ReadLease(const YamlMap& map, std::optional<LeaseTerms>& lease) {
  const YAML::Node* const node = map.Find("lease");
  if (node == nullptr) return;
  LeaseTerms& terms = lease.emplace();
  const YamlMap entries(map.reader(), *node, "lease", {"max_share", "ttl"});
  entries.ReadDuration("ttl", kMinLeaseTtl, kMaxLeaseTtl, terms.ttl);
  const YAML::Node* const share = entries.Find("max_share");
  if (share == nullptr) return;
  const auto text = map.reader().Text(*share, "max_share");
  if (!text.has_value()) return;
  if (const auto ppm = ParseShare(*text)) {
    terms.max_share_ppm = *ppm;
  } else {
    map.reader().Unexpected(*share, "max_share",
                            "a part of the limit from 0.0001% to 50%, such as "
                            "5%");
  }
}

}  // namespace rls
