#include "rules/domain_spec.h"

namespace rls {

std::optional<absl::string_view> DegradeRule::ModelFor(
    absl::string_view model) const {
  if (model.empty()) return cheapest;
  const auto it = cheaper.find(std::string(model));
  if (it != cheaper.end()) return it->second;
  if (cheapest.empty() || model == cheapest) return std::nullopt;
  return cheapest;
}

}  // namespace rls
