#ifndef RLS_ADMIN_REFRESH_TIER_H_
#define RLS_ADMIN_REFRESH_TIER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "rules/rule_book.h"

namespace rls {

struct RefreshedTier {
  int http_status = 200;
  std::string text;  // one line for each domain; never the user
};

// POST /tiers/{user}/refresh: asks the tier sources anew for a user, of all
// domains or of the one that is named, and waits for their answers. 404 when
// there is no source, 400 for a user that is never asked for, 502 when a source
// has failed; what was known then stays known.
RefreshedTier RefreshTier(const RuleBook& book, absl::string_view domain,
                          absl::string_view user);

}  // namespace rls

#endif  // RLS_ADMIN_REFRESH_TIER_H_
