#include "app/decision_settings.h"

#include <cstdint>
#include <string>

#include "app/environment.h"

namespace rls {
namespace {

Accounting ReadDefaultAccounting(EnvironmentReader& reader) {
  const char* const name = "RATELIMIT_ACCOUNTING";
  const std::string text = reader.Text(name).value_or("all_or_nothing");
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
  // Checked, but without effect: the expiry of a plain counter in Redis is the
  // end of its window, so a later one would lengthen the window.
  int64_t jitter_seconds = 0;
  reader.ReadNumber<int64_t>("EXPIRATION_JITTER_MAX_SECONDS", 0, INT64_MAX,
                             jitter_seconds);
  return modes;
}

}  // namespace rls
