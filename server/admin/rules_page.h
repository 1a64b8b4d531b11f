#ifndef RLS_ADMIN_RULES_PAGE_H_
#define RLS_ADMIN_RULES_PAGE_H_

#include <string>

#include "rules/rule_book.h"

namespace rls {

// /rlconfig: one line for each rule, domains in the order of their names. Shows
// what is configured, never a user.
std::string RulesPage(const RuleBook& book);

}  // namespace rls

#endif  // RLS_ADMIN_RULES_PAGE_H_
