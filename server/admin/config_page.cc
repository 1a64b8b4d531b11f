#include "admin/config_page.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/time/time.h"
#include "admin/debug_pages.h"

namespace rls {
namespace {

using Json = nlohmann::ordered_json;

Json DomainJson(const std::string& name, const Domain& domain,
                const RuleOrigin& origin) {
  Json from = Json::array();
  if (const auto it = origin.domains.find(name); it != origin.domains.end()) {
    for (const RuleOrigin::Part& part : it->second) {
      from.push_back(
          {{"place", part.place}, {"hash", part.hash}, {"state", part.state}});
    }
  }
  return {{"domain", name},
          {"from", std::move(from)},
          {"rules", RuleLines(name, domain)}};
}

}  // namespace

std::string ConfigPage(const RuleBook& book) {
  const RuleOrigin& origin = book.origin;
  Json page = {{"source", origin.source}, {"places", origin.places}};
  if (origin.source == "xds") page["version"] = origin.version;
  page["hash"] = origin.hash;
  page["loaded"] = nullptr;
  if (book.loaded) {
    page["loaded"] =
        absl::FormatTime(absl::RFC3339_sec, origin.loaded, absl::UTCTimeZone());
  }
  Json& domains = page["domains"] = Json::array();
  const std::map<std::string, std::shared_ptr<const Domain>> sorted(
      book.domains.begin(), book.domains.end());
  for (const auto& [name, domain] : sorted) {
    domains.push_back(DomainJson(name, *domain, origin));
  }
  // A name may have bytes that are not UTF-8.
  return page.dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace) +
         "\n";
}

}  // namespace rls
