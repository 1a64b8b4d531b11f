#ifndef RLS_CONFIG_DEGRADE_FORMAT_H_
#define RLS_CONFIG_DEGRADE_FORMAT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/yaml_map.h"
#include "rules/rule.h"

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
  // `rate_limit` must outlive it.
  DegradeFormat(const YamlMap& rate_limit, std::vector<Model> models);

  // What holds for users without a tier, and for those of a tier, whose own
  // models count first. No model to degrade to is a mistake.
  std::shared_ptr<const DegradeRule> Default() const;
  std::shared_ptr<const DegradeRule> OfTier(const YamlMap& tier) const;

 private:
  std::shared_ptr<const DegradeRule> Checked(DegradeRule rule,
                                             absl::string_view whose) const;
  void ReadSettings(const YAML::Node& node);
  void ReadLimit(const YAML::Node& node);
  void ReadDegradeTo(const YamlMap& map, DegradeRule& rule) const;
  void CheckModel(const YAML::Node& node, const std::string& name) const;

  const YamlMap& map_;
  const std::vector<Model> models_;
  DegradeRule rule_;
};

}  // namespace rls

#endif  // RLS_CONFIG_DEGRADE_FORMAT_H_
