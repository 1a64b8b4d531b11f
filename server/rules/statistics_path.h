#ifndef RLS_RULES_STATISTICS_PATH_H_
#define RLS_RULES_STATISTICS_PATH_H_

#include <memory>
#include <string>
#include <vector>

#include "metrics/statistics.h"
#include "rules/domain.h"
#include "rules/domain_spec.h"

namespace rls {

// The path of the node that is being compiled, for statistics.
class StatisticsPath {
 public:
  StatisticsPath(Statistics& statistics, std::string domain)
      : statistics_(statistics), path_({std::move(domain)}) {}

  void Enter(const RuleNode& node);
  void Leave();

  // The statistics of a rule at this node. `detailed`: RuleNode.
  std::unique_ptr<RuleStatistics> Open(bool detailed) const;

 private:
  Statistics& statistics_;
  std::vector<std::string> path_;  // the domain and the names of `levels_`
  std::vector<RuleStatistics::Level> levels_;
};

// The name of a level: "key", or "key_value". A secret value is hashed.
std::string LevelName(absl::string_view key, absl::string_view value,
                      bool secret);

}  // namespace rls

#endif  // RLS_RULES_STATISTICS_PATH_H_
