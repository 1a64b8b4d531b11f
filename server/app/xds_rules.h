#ifndef RLS_APP_XDS_RULES_H_
#define RLS_APP_XDS_RULES_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "rules/rule_book.h"
#include "xds/xds_client.h"

namespace rls {

// Keeps the rule book up to date with a configuration server. Until its first
// response the book is not loaded.
//
// Threads: the client has a thread of its own, which publishes the books and
// destroys old ones. The destructor ends it.
class XdsRules {
 public:
  virtual ~XdsRules() = default;
};

// Lifetime: the references must outlive the result.
// Failure: INVALID_ARGUMENT for options without meaning. An unreachable server
// is no failure.
absl::StatusOr<std::unique_ptr<XdsRules>> NewXdsRules(const XdsOptions& options,
                                                      RuleBookHolder& rules,
                                                      Metrics& metrics,
                                                      const Clock& clock);

}  // namespace rls

#endif  // RLS_APP_XDS_RULES_H_
