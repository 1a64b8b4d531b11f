#ifndef RLS_XDS_RATE_LIMIT_RESOURCE_H_
#define RLS_XDS_RATE_LIMIT_RESOURCE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "rules/domain_spec.h"

namespace rls {

// One resource of type ratelimit.config.ratelimit.v3.RateLimitConfig: the rules
// of one domain.
struct RateLimitResource {
  // Set if they could be read, even if there are errors.
  std::string name;
  std::string domain_name;

  std::optional<DomainSpec> domain;  // nullopt: there are errors
  // Each names the path of the descriptor and the value found.
  std::vector<std::string> errors;
};

// The errors of one resource that are kept. One more line counts the others.
inline constexpr size_t kMaxResourceErrors = 10;

// A resource that exceeds one of these bounds is refused.
inline constexpr size_t kMaxResourceTextBytes = size_t{64} << 10;  // one text
inline constexpr size_t kMaxResourcePathBytes = size_t{64} << 20;  // Rule::path

// Reads an encoded RateLimitConfig by the rules of the descriptor format of
// files (config/descriptor_format.h), with the bounds kMaxRuleDepth, and
// kMaxRules for all descriptors. Pure.
RateLimitResource ReadRateLimitResource(absl::string_view bytes);

}  // namespace rls

#endif  // RLS_XDS_RATE_LIMIT_RESOURCE_H_
