#ifndef RLS_CONFIG_TIER_MESSAGE_H_
#define RLS_CONFIG_TIER_MESSAGE_H_

#include <string>

#include "rules/rule.h"

namespace rls {

// What a refused user reads unless the tier says otherwise: "Rate limit
// exceeded. Free tier: 5 req/min". `subject`, not empty, is whose limit it is.
std::string TierMessage(std::string subject, const Rule& rule);

}  // namespace rls

#endif  // RLS_CONFIG_TIER_MESSAGE_H_
