#ifndef RLS_CONFIG_CONFIG_MANAGER_H_
#define RLS_CONFIG_CONFIG_MANAGER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config/load.h"
#include "metrics/metrics.h"
#include "rules/rule_book.h"

namespace rls {

// Keeps the rule book up to date with files and folders.
//
// A load reads every file, compiles the domains and publishes one new rule
// book. A bad file costs only its own domain, which keeps its last good rules;
// the failure is counted and logged with file:line. Two files that name the
// same domain are an error of the later one.
//
// Threads: every method may be called by many threads at once; loads take
// turns.
class ConfigManager {
 public:
  virtual ~ConfigManager() = default;

  // Loads now, whatever has changed. INVALID_ARGUMENT with every error, one a
  // line, when any file is bad; the good ones have been published all the same
  // unless this is the first load.
  virtual absl::Status Load() = 0;

  // What the last load without error said. Who starts with it keeps to it: a
  // load that says something else logs that it takes effect at the next start.
  virtual RedisPlace redis() const = 0;

  // Starts a thread that looks for changes (other content, names, sizes or
  // times below the paths; a swapped symbolic link) and loads when it finds
  // one. Stops with the destructor.
  virtual void StartWatching(absl::Duration interval) = 0;
};

struct ConfigParts {
  std::vector<std::string> paths;  // files or folders
  Environment environment;
  RuleBookHolder& rules;
  Metrics& metrics;
  const Clock& clock;
  TierSources* tier_sources = nullptr;  // null: as CompileDomain()
};

std::unique_ptr<ConfigManager> NewConfigManager(ConfigParts parts);

}  // namespace rls

#endif  // RLS_CONFIG_CONFIG_MANAGER_H_
