#ifndef RLS_ADMIN_DEBUG_PAGES_H_
#define RLS_ADMIN_DEBUG_PAGES_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "http/http_handler.h"
#include "rules/rule_book.h"

namespace rls {

// The pages of the debug port.

// GET /rlconfig: one line for each rule, sorted by domain. Shows only the
// configuration, never a user.
std::string RulesPage(const RuleBook& book);

// The lines of one domain, in file order, without line breaks.
void ForEachRuleLine(const std::string& name, const Domain& domain,
                     absl::FunctionRef<void(const std::string&)> visit);

// POST /tiers/{user}/refresh: looks the user up again in the tier source of
// each domain, or only of the domain `domain` if it is not empty. Answers with
// one line for each domain when all sources have answered; never contains the
// user. If a source fails, its cached tier stays.
// HTTP status: 404 if no such domain has a tier source, 400 if the user is
// never looked up, 502 if a source fails.
void RefreshTier(const RuleBook& book, absl::string_view domain,
                 absl::string_view user, HttpReply reply);

}  // namespace rls

#endif  // RLS_ADMIN_DEBUG_PAGES_H_
