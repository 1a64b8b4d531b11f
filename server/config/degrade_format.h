#ifndef RLS_CONFIG_DEGRADE_FORMAT_H_
#define RLS_CONFIG_DEGRADE_FORMAT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/yaml_map.h"
#include "rules/domain_spec.h"

namespace rls {

// The `models:` of format 2.
struct Model {
  std::string name;
  std::optional<double> cost;
};
std::vector<Model> ReadModels(const YamlMap& map);

// Reads `degrade:` and `degrade_to:` of `rate_limit`, and `degrade_to:` of its
// tiers.
class DegradeFormat {
 public:
  // Lifetime: `rate_limit` must outlive the object.
  DegradeFormat(const YamlMap& rate_limit, std::vector<Model> models);

  // The rule for users without a tier, and the rule for users of a tier. The
  // tier's own `degrade_to:` takes precedence. It is an error if a rule has no
  // cheaper model.
  std::shared_ptr<const DegradeRule> Default() const;
  std::shared_ptr<const DegradeRule> OfTier(const YamlMap& tier) const;

 private:
  std::shared_ptr<const DegradeRule> Checked(DegradeRule rule,
                                             absl::string_view users) const;
  void ReadSettings(const YamlNode& node);
  void ReadLimit(const YamlNode& node);
  void ReadDegradeTo(const YamlMap& map, DegradeRule& rule) const;
  void CheckModel(const YamlNode& node, const std::string& name) const;

  const YamlMap& map_;
  const std::vector<Model> models_;
  DegradeRule rule_;
};

}  // namespace rls

#endif  // RLS_CONFIG_DEGRADE_FORMAT_H_
