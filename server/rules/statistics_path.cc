#include "rules/statistics_path.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rules/secret_keys.h"

namespace rls {

std::string LevelName(absl::string_view key, absl::string_view value,
                      bool secret) {
  if (value.empty()) return std::string(key);
  if (secret) return absl::StrCat(key, "_", ShownSecret(value));
  return absl::StrCat(key, "_", value);
}

// The name of a shared wildcard is always its pattern: its values share one
// counter.
void StatisticsPath::Enter(const RuleNode& node) {
  const bool secret = node.secret.value_or(HoldsSecrets(node.key));
  path_.push_back(LevelName(node.key, node.value, secret));
  levels_.push_back({.name = node.share ? path_.back() : "",
                     .is_sent = node.value_to_metric && !node.share,
                     .secret = secret});
}

void StatisticsPath::Leave() {
  path_.pop_back();
  levels_.pop_back();
}

std::unique_ptr<RuleStatistics> StatisticsPath::Open(bool detailed) const {
  auto made = std::make_unique<RuleStatistics>();
  made->hits = statistics_.OfLimit(path_);
  const bool is_sent =
      detailed || std::any_of(levels_.begin(), levels_.end(),
                              [](const auto& level) { return level.is_sent; });
  if (!is_sent) return made;
  made->levels = levels_;
  for (size_t i = 0; i < levels_.size(); ++i) {
    RuleStatistics::Level& level = made->levels[i];
    level.is_sent |= detailed && level.name.empty();
    level.name = path_[i + 1];
  }
  return made;
}

}  // namespace rls
