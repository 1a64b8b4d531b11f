#include "app/decision_settings.h"

#include <string>

#include "app/environment.h"

namespace rls {
namespace {

Accounting ReadDefaultAccounting(EnvironmentReader& reader) {
  const char* const name = "RATELIMIT_ACCOUNTING";
  std::string text = "all_or_nothing";
  reader.Read(name, text);
  if (text != "all_or_nothing" && text != "independent") {
    reader.Fail(name, text, "all_or_nothing or independent");
  }
  bool stops = false;
  reader.Read("STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT", stops);
  // With this variable, a refused request does not charge its other
  // descriptors in envoyproxy/ratelimit. Only all or nothing keeps this promise
  // for requests that come at the same time.
  return text == "independent" && !stops ? Accounting::kIndependent
                                         : Accounting::kAllOrNothing;
}

}  // namespace

DecisionModes ReadDecisionModes(EnvironmentReader& reader) {
  DecisionModes modes;
  reader.Read("SHADOW_MODE", modes.shadow);
  reader.Read("QUOTA_MODE", modes.quota);
  modes.default_accounting = ReadDefaultAccounting(reader);
  return modes;
}

}  // namespace rls
