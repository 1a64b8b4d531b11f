#include "store_redis/script_call.h"

#include <utility>

#include "store_redis/script_sources.h"

namespace rls {

absl::string_view ScriptSource(Script script) {
  switch (script) {
    case Script::kFixed:
      return kFixedLua;
    case Script::kTake:
      return kTakeLua;
  }
  return "";
}

bool IsPlain(const Policy& policy) {
  return policy.algorithm == Algorithm::kFixedWindow &&
         (policy.burst == 0 || policy.burst_mode == BurstMode::kUpfront);
}

std::vector<std::unique_ptr<ScriptCall>> MakeCalls(PendingTakes takes,
                                                   absl::Time now) {
  std::vector<std::unique_ptr<ScriptCall>> calls;
  PendingTakes fixed;
  PendingTakes general;
  size_t general_keys = 0;
  for (std::unique_ptr<PendingTake>& take : takes) {
    if (FitsFixedCall(*take)) {
      fixed.push_back(std::move(take));
      continue;
    }
    if (general_keys + take->keys.size() > kMaxCallKeys && !general.empty()) {
      calls.push_back(NewTakeCall(std::exchange(general, {}), now));
      general_keys = 0;
    }
    general_keys += take->keys.size();
    general.push_back(std::move(take));
  }
  if (!fixed.empty()) calls.push_back(NewFixedCall(std::move(fixed)));
  if (!general.empty()) calls.push_back(NewTakeCall(std::move(general), now));
  return calls;
}

}  // namespace rls
