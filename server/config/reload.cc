#include "config/reload.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/log.h"
#include "limit/charge.h"
#include "limit/key_hash.h"

namespace rls {
namespace {

void AppendFile(const std::string& path, std::string& fingerprint) {
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0) {
    absl::StrAppend(&fingerprint, path, " gone\n");
    return;
  }
  absl::StrAppend(&fingerprint, path, " ", about.st_dev, " ", about.st_ino, " ",
                  about.st_size, " ", about.st_mtim.tv_sec, " ",
                  about.st_mtim.tv_nsec, " ",
                  // The change time also changes with permissions. Tools that
                  // set the modification time (cp -p, rsync -t) cannot set it.
                  about.st_ctim.tv_sec, " ", about.st_ctim.tv_nsec, "\n");
}

// The log names at most this many changed rules, and only counts the others.
constexpr size_t kMaxNamed = 10;

std::string RuleText(const Rule& rule) {
  if (rule.unlimited) return "unlimited";
  const Policy& policy = rule.policy;
  return absl::StrCat(
      policy.limit, rule.counted == Counted::kTokens ? " tokens" : "", " per ",
      policy.calendar == Calendar::kNone
          ? absl::FormatDuration(policy.window)
          : absl::StrCat(CalendarWord(policy.calendar), " of ",
                         policy.zone.name()),
      " ", AlgorithmWord(policy.algorithm),
      policy.burst == 0 ? "" : absl::StrCat(" burst ", policy.burst),
      policy.burst_mode == BurstMode::kUpfront ? " upfront" : "",
      rule.shadow ? " shadow" : "", rule.quota ? " quota" : "",
      rule.reserves ? " reserve" : "",
      rule.lease.has_value() ? " lease " + LeaseText(*rule.lease) : "",
      policy.queue ? " queue" : "", rule.degrade != nullptr ? " degrade" : "");
}

std::map<std::string, std::string> TextsOf(const Domain* domain) {
  std::map<std::string, std::string> texts;
  if (domain == nullptr) return texts;
  domain->ForEachRule([&texts](const CompiledRule& rule) {
    texts.emplace(rule.path, RuleText(rule));
  });
  return texts;
}

// "3 rules, 1 added, 0 removed, 1 changed: user 5 per 1m fixed_window -> 6 ..."
std::string Difference(const Domain* before, const Domain* after) {
  const std::map<std::string, std::string> old_texts = TextsOf(before);
  const std::map<std::string, std::string> new_texts = TextsOf(after);
  size_t kept = 0;
  std::vector<std::string> changed;
  for (const auto& [path, text] : new_texts) {
    const auto old = old_texts.find(path);
    if (old == old_texts.end()) continue;
    ++kept;
    if (old->second == text) continue;
    changed.push_back(absl::StrCat(path, ": ", old->second, " -> ", text));
  }
  const size_t count = changed.size();
  if (count > kMaxNamed) {
    changed.resize(kMaxNamed);
    changed.push_back("...");
  }
  return absl::StrCat(new_texts.size(), " rules, ", new_texts.size() - kept,
                      " added, ", old_texts.size() - kept, " removed, ", count,
                      " changed", count == 0 ? "" : "; ",
                      absl::StrJoin(changed, ", "));
}

Gauge& StaleGauge(Metrics& metrics, const char* reason) {
  return metrics.GetGauge(
      {.name = "ratelimitd_config_stale_domains",
       .help = "Domains that keep the rules of a file that is bad or gone",
       .labels = {{"reason", reason}}});
}

Counter& LoadCounter(Metrics& metrics, const char* result) {
  return metrics.GetCounter({.name = "ratelimitd_config_loads_total",
                             .help = "Loads of the configuration by result",
                             .labels = {{"result", result}}});
}

std::string HashOfParts(absl::Span<const absl::string_view> parts) {
  // The seed is not secret, because the hash only distinguishes contents.
  const Hash128 hash = HashKey(HashSeed{}, {.scope = "config", .parts = parts});
  return absl::StrCat(absl::Hex(hash.low, absl::kZeroPad16));
}

}  // namespace

std::string Fingerprint(const std::vector<std::string>& paths) {
  std::string fingerprint;
  for (const std::string& path : paths) {
    const auto files = ListFiles(path);
    if (!files.ok()) {
      absl::StrAppend(&fingerprint, path, " ", files.status().message(), "\n");
      continue;
    }
    for (const std::string& file : *files) AppendFile(file, fingerprint);
  }
  return fingerprint;
}

std::string ContentHash(const std::vector<std::string>& texts) {
  return HashOfParts(
      std::vector<absl::string_view>(texts.begin(), texts.end()));
}

std::string ContentHash(absl::string_view text) { return HashOfParts({text}); }

void LimitLines(std::vector<std::string>& lines) {
  if (lines.size() <= kMaxLoggedLines) return;
  const size_t others = lines.size() - kMaxLoggedLines;
  lines.resize(kMaxLoggedLines);
  lines.push_back(absl::StrCat("and ", others, " more"));
}

void LogChanges(const RuleBook& before, const RuleBook& after) {
  std::set<std::string> names;
  for (const auto& [name, unused] : before.domains) names.insert(name);
  for (const auto& [name, unused] : after.domains) names.insert(name);
  for (const std::string& name : names) {
    const Domain* old_domain = before.Find(name);
    const Domain* new_domain = after.Find(name);
    if (old_domain == new_domain) continue;
    LogInfo(absl::StrCat(
        "domain \"", name, "\" ",
        new_domain == nullptr ? "removed"
        : old_domain == nullptr
            ? absl::StrCat("added: ", TextsOf(new_domain).size(), " rules")
            : absl::StrCat("reloaded: ", Difference(old_domain, new_domain))));
  }
}

void BookPublisher::Publish(std::shared_ptr<const RuleBook> book) {
  LogChanges(*rules_.Get(), *book);
  rules_.Set(book);
  books_.push_back(std::move(book));
  DestroyUnused();
}

void BookPublisher::DestroyUnused() {
  if (books_.empty()) return;
  const RuleBook* const current = books_.back().get();
  std::erase_if(books_, [current](const auto& book) {
    return book.get() != current && book.use_count() == 1;
  });
}

LoadMetrics::LoadMetrics(Metrics& metrics)
    : metrics_(metrics),
      successes_(LoadCounter(metrics, "success")),
      failures_(LoadCounter(metrics, "failure")),
      incomplete_(LoadCounter(metrics, "incomplete")),
      domains_(metrics.GetGauge(
          {.name = "ratelimitd_config_domains",
           .help = "Domains in force; 0: every request passes"})),
      last_success_(metrics.GetGauge(
          {.name = "ratelimitd_config_last_success_timestamp_seconds",
           .help = "When the configuration was last loaded without error"})),
      bad_domains_(StaleGauge(metrics, "bad")),
      gone_domains_(StaleGauge(metrics, "gone")),
      stale_since_(metrics.GetGauge(
          {.name = "ratelimitd_config_stale_since_timestamp_seconds",
           .help = "Since when the oldest file with stale domains is bad or "
                   "gone; 0 without such a file"})) {}

void LoadMetrics::Succeeded(absl::Time now) {
  successes_.Add(1);
  CountLoad(ServiceCount::kConfigLoadSuccess);
  last_success_.Set(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
}

void LoadMetrics::Failed() {
  failures_.Add(1);
  CountLoad(ServiceCount::kConfigLoadError);
}

void LoadMetrics::CountLoad(ServiceCount kind) {
  Statistics* const statistics = metrics_.statistics();
  if (statistics != nullptr) statistics->Count(kind);
}

void LoadMetrics::SetStale(const FileStates& files) {
  size_t bad = 0;
  size_t gone = 0;
  absl::Time since = absl::InfiniteFuture();
  for (const auto& [path, state] : files) {
    if (state.condition == FileState::Condition::kGood) continue;
    if (state.domains.empty()) continue;
    const bool is_gone = state.condition == FileState::Condition::kGone;
    (is_gone ? gone : bad) += state.domains.size();
    since = std::min(since, state.since);
  }
  bad_domains_.Set(static_cast<double>(bad));
  gone_domains_.Set(static_cast<double>(gone));
  stale_since_.Set(
      bad + gone == 0 ? 0 : absl::ToDoubleSeconds(since - absl::UnixEpoch()));
}

void LoadMetrics::SetActive(const std::string& hash) {
  if (active_hash_ == hash) return;
  if (!active_hash_.empty()) HashGauge(active_hash_).Set(0);
  HashGauge(hash).Set(1);
  active_hash_ = hash;
}

Gauge& LoadMetrics::HashGauge(const std::string& hash) const {
  return metrics_.GetGauge(
      {.name = "ratelimitd_config_info",
       .help = "1 for the hash of the configuration that is active",
       .labels = {{"hash", hash}}});
}

}  // namespace rls
