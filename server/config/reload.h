#ifndef RLS_CONFIG_RELOAD_H_
#define RLS_CONFIG_RELOAD_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config/file_states.h"
#include "metrics/metrics.h"
#include "rules/rule_book.h"

namespace rls {

// The functions by which ConfigManager detects, compares, logs and counts
// changes of the configuration.

// Returns a text that changes when a file below one of the paths is added,
// removed, replaced or edited, also through a symbolic link. Does not read the
// files: see docs/decisions/0002-polling-for-config-changes.md.
std::string Fingerprint(const std::vector<std::string>& paths);

// A hash of a list of texts, as 16 hexadecimal digits. All processes compute
// the same hash, so that replicas can be compared.
std::string ContentHash(const std::vector<std::string>& texts);
std::string ContentHash(absl::string_view text);

// The log has at most this many errors of one load, and as many warnings.
inline constexpr size_t kMaxLoggedLines = 100;

// Cuts `lines` to kMaxLoggedLines, and adds a line with the number of the
// others.
void LimitLines(std::vector<std::string>& lines);

// Logs the domains that a load has added, reloaded and removed.
void LogChanges(const RuleBook& before, const RuleBook& after);

// Publishes rule books. A request may hold an old book. The publisher holds it
// longer, so that no request has to destroy it.
//
// Threads: one thread at a time.
// Lifetime: `rules` must outlive the publisher.
class BookPublisher {
 public:
  explicit BookPublisher(RuleBookHolder& rules) : rules_(rules) {}

  bool has_published() const { return !books_.empty(); }

  // Logs the changes, and destroys the old books that no request holds.
  void Publish(std::shared_ptr<const RuleBook> book);
  void DestroyUnused();

 private:
  RuleBookHolder& rules_;
  std::vector<std::shared_ptr<const RuleBook>> books_;  // the last is in force
};

// The metrics of the configuration.
//
// Threads: one thread at a time.
class LoadMetrics {
 public:
  explicit LoadMetrics(Metrics& metrics);

  void Succeeded(absl::Time now);
  void Failed();
  // Without error, but the files of some domains are gone.
  void Incomplete() { incomplete_.Add(1); }

  // Counts the domains that bad and gone files keep, and reports when the
  // oldest of these files became so.
  void SetStale(const FileStates& files);

  // The number of domains in force.
  void SetDomains(size_t domains) {
    domains_.Set(static_cast<double>(domains));
  }

  // `hash` identifies the active contents.
  void SetActive(const std::string& hash);

 private:
  Gauge& HashGauge(const std::string& hash) const;

  void CountLoad(ServiceCount kind);

  Metrics& metrics_;
  Counter& successes_;
  Counter& failures_;
  Counter& incomplete_;
  Gauge& domains_;
  Gauge& last_success_;
  Gauge& bad_domains_;
  Gauge& gone_domains_;
  Gauge& stale_since_;
  std::string active_hash_;
};

}  // namespace rls

#endif  // RLS_CONFIG_RELOAD_H_
