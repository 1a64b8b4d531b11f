#include "admin/config_page.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "admin/debug_pages.h"

namespace rls {
namespace {

using Json = nlohmann::ordered_json;

// A name may have bytes that are not UTF-8.
std::string Text(const Json& json) {
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace);
}

// `object` without its closing brace, so that a member can follow.
std::string Open(const Json& object) {
  std::string text = Text(object);
  text.pop_back();
  return text;
}

Json HeadOf(const RuleBook& book) {
  const RuleOrigin& origin = book.origin;
  Json head = {{"source", origin.source}, {"places", origin.places}};
  if (origin.source == "xds") head["version"] = origin.version;
  head["hash"] = origin.hash;
  head["loaded"] = nullptr;
  if (book.loaded) {
    head["loaded"] =
        absl::FormatTime(absl::RFC3339_sec, origin.loaded, absl::UTCTimeZone());
  }
  return head;
}

Json HeadOf(const std::string& name, const RuleOrigin& origin) {
  Json from = Json::array();
  if (const auto it = origin.domains.find(name); it != origin.domains.end()) {
    for (const RuleOrigin::Part& part : it->second) {
      from.push_back(
          {{"place", part.place}, {"hash", part.hash}, {"state", part.state}});
    }
  }
  return {{"domain", name}, {"from", std::move(from)}};
}

}  // namespace

// A configuration may have hundreds of thousands of rules, so only one line at
// a time is an object of the library.
std::string ConfigPage(const RuleBook& book) {
  const std::map<std::string, std::shared_ptr<const Domain>> sorted(
      book.domains.begin(), book.domains.end());
  std::string page = Open(HeadOf(book)) + ",\"domains\":[";
  const char* between = "\n";
  for (const auto& [name, domain] : sorted) {
    absl::StrAppend(&page, between, Open(HeadOf(name, book.origin)),
                    ",\"rules\":[");
    between = ",\n";
    const char* comma = "\n  ";
    ForEachRuleLine(name, *domain, [&](const std::string& line) {
      absl::StrAppend(&page, comma, Text(line));
      comma = ",\n  ";
    });
    page += "]}";
  }
  return page + "]}\n";
}

}  // namespace rls
