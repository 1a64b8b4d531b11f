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

// Keeps the rule book up to date with configuration files and folders.
//
// A load reads every file, compiles the domains of changed files and publishes
// one new rule book. A bad file affects only its own domain, which keeps its
// last good rules. The failure is counted, and logged with file:line. If two
// files contain the same domain, the later file is in error. Settle() in
// config/file_states.h has the rule for files that are bad or gone.
//
// Threads: every method may be called by many threads at once. Loads run one
// after the other. An old rule book is destroyed on a thread that loads or
// watches, never on the thread of a request.
class ConfigManager {
 public:
  virtual ~ConfigManager() = default;

  // Loads now, even if no file has changed. Removes the domains of files that
  // are gone.
  // Failure: INVALID_ARGUMENT if any file is bad, with one line for each error.
  // The good files are published nevertheless, except by the first load.
  // CANCELLED after Stop().
  virtual absl::Status Load() = 0;

  // The same, but the domains of files that are gone keep their rules. The log
  // and the metrics name such domains.
  virtual absl::Status LoadChanges() = 0;

  // Makes the thread of StartWatching() call Load(). Returns at once.
  virtual void RequestLoad() = 0;

  // Abandons a load under way and prevents later loads. Returns at once.
  virtual void Stop() = 0;

  // `redis:` of the last load without error. The server uses the first value
  // until it ends: if a later load finds another value, it logs that the change
  // takes effect at the next start.
  virtual RedisPlace redis() const = 0;

  // Starts a thread that looks for changes below the paths (added or removed
  // files, other sizes or times, a replaced symbolic link) and calls
  // LoadChanges() after a change. The destructor stops the thread.
  virtual void StartWatching(absl::Duration interval) = 0;
};

struct ConfigDependencies {
  std::vector<std::string> paths;  // configuration files or folders
  Environment environment;
  RuleBookHolder& rules;
  Metrics& metrics;
  const Clock& clock;
  TierSources* tier_sources = nullptr;  // passed to CompileDomain()
  bool merge_domains = false;           // see config/merge_domains.h
};

std::unique_ptr<ConfigManager> NewConfigManager(
    ConfigDependencies dependencies);

}  // namespace rls

#endif  // RLS_CONFIG_CONFIG_MANAGER_H_
