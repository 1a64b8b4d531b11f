#include "config/config_manager.h"

#include <map>
#include <semaphore>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mutex.h"
#include "config/fingerprint.h"
#include "config/reload_log.h"

namespace rls {
namespace {

// One file as it was read: its domain if it is good, else why not.
struct ReadResult {
  std::string path;
  std::string bytes;
  LoadedFile file;
};

// An error of base/files, which begins with the path that it is about.
ConfigError ErrorOf(const std::string& path, const absl::Status& status) {
  absl::string_view text = status.message();
  absl::ConsumePrefix(&text, absl::StrCat(path, ": "));
  return {.origin = path, .text = std::string(text)};
}

class ConfigManagerImpl final : public ConfigManager {
 public:
  explicit ConfigManagerImpl(ConfigParts parts)
      : parts_(std::move(parts)),
        successes_(LoadCounter("success")),
        failures_(LoadCounter("failure")),
        last_success_(parts_.metrics.GetGauge(
            {.name = "ratelimitd_config_last_success_timestamp_seconds",
             .help = "When the configuration was last loaded without error"})) {
  }

  ~ConfigManagerImpl() override {
    stop_.release();
    if (watcher_.joinable()) watcher_.join();
  }

  absl::Status Load() override {
    MutexLock lock(&mutex_);
    // Taken before the files are read, so that a change meanwhile is seen.
    loaded_fingerprint_ = Fingerprint(parts_.paths);
    std::vector<ConfigError> errors;
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    bool all_listed = true;
    const std::vector<ReadResult> results = ReadAll(errors, all_listed);
    std::map<std::string, std::string> domain_of_path;
    for (const ReadResult& result : results) {
      AddDomain(result, *book, domain_of_path, errors);
    }
    // A path that cannot be listed may hold any of the other domains.
    if (!all_listed) {
      const auto current = parts_.rules.Get();
      book->domains.insert(current->domains.begin(), current->domains.end());
    }
    const bool first = !parts_.rules.Get()->loaded;
    if (errors.empty() || !first) {
      LogChanges(*parts_.rules.Get(), *book);
      parts_.rules.Set(std::move(book));
      domain_of_path_ = std::move(domain_of_path);
    }
    if (errors.empty()) {
      Succeed(results);
      return absl::OkStatus();
    }
    return Fail(errors);
  }

  void StartWatching(absl::Duration interval) override {
    watcher_ = std::thread([this, interval] { Watch(interval); });
  }

 private:
  Counter& LoadCounter(const char* result) const {
    return parts_.metrics.GetCounter(
        {.name = "ratelimitd_config_loads_total",
         .help = "Loads of the configuration by result",
         .labels = {{"result", result}}});
  }

  std::vector<ReadResult> ReadAll(std::vector<ConfigError>& errors,
                                  bool& all_listed) const {
    std::vector<ReadResult> results;
    for (const std::string& path : parts_.paths) {
      const auto files = ListFiles(path);
      if (!files.ok()) {
        errors.push_back(ErrorOf(path, files.status()));
        all_listed = false;
        continue;
      }
      for (const std::string& file : *files) {
        results.push_back(ReadOne(file, errors));
      }
    }
    return results;
  }

  ReadResult ReadOne(const std::string& path,
                     std::vector<ConfigError>& errors) const {
    ReadResult result{.path = path};
    absl::StatusOr<std::string> bytes = ReadFile(path, kMaxConfigBytes);
    if (bytes.ok()) {
      result.bytes = *std::move(bytes);
      result.file = LoadConfig(result.bytes, path, parts_.environment);
    } else {
      // Kept with the file too: one without domain and errors is disabled.
      result.file.errors.push_back(ErrorOf(path, bytes.status()));
    }
    errors.insert(errors.end(), result.file.errors.begin(),
                  result.file.errors.end());
    return result;
  }

  // The file's domain into the book; if the file is bad, the last good rules
  // of the domain that it holds, or held before.
  void AddDomain(const ReadResult& result, RuleBook& book,
                 std::map<std::string, std::string>& domain_of_path,
                 std::vector<ConfigError>& errors)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::string name = result.file.domain_name;
    if (name.empty()) name = KnownDomainOf(result.path);
    if (name.empty()) return;
    domain_of_path[result.path] = name;
    std::shared_ptr<const Domain> domain;
    if (result.file.domain.has_value()) {
      if (book.domains.contains(name)) {
        errors.push_back({.origin = result.path,
                          .text = absl::StrCat("domain \"", name,
                                               "\" is in another file too")});
        return;
      }
      auto compiled = CompileDomain(*result.file.domain, parts_.metrics);
      if (compiled.ok()) {
        domain = *std::move(compiled);
      } else {
        errors.push_back({.origin = result.path,
                          .text = std::string(compiled.status().message())});
      }
    }
    const bool disabled =
        !result.file.domain.has_value() && result.file.errors.empty();
    if (domain == nullptr && !disabled) {
      const auto current = parts_.rules.Get();
      const auto it = current->domains.find(name);
      if (it != current->domains.end()) domain = it->second;
    }
    if (domain != nullptr) book.domains.emplace(name, std::move(domain));
  }

  std::string KnownDomainOf(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = domain_of_path_.find(path);
    return it == domain_of_path_.end() ? "" : it->second;
  }

  void Succeed(const std::vector<ReadResult>& results)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    successes_.Add(1);
    last_success_.Set(
        absl::ToDoubleSeconds(parts_.clock.Now() - absl::UnixEpoch()));
    std::vector<std::string> contents;
    for (const ReadResult& result : results) {
      contents.push_back(result.path);
      contents.push_back(result.bytes);
    }
    const std::string hash = ContentHash(contents);
    if (active_hash_ == hash) return;
    if (!active_hash_.empty()) HashGauge(active_hash_).Set(0);
    HashGauge(hash).Set(1);
    active_hash_ = hash;
  }

  Gauge& HashGauge(const std::string& hash) const {
    return parts_.metrics.GetGauge(
        {.name = "ratelimitd_config_info",
         .help = "1 for the hash of the configuration that is active",
         .labels = {{"hash", hash}}});
  }

  absl::Status Fail(const std::vector<ConfigError>& errors) {
    failures_.Add(1);
    std::vector<std::string> lines;
    for (const ConfigError& error : errors) {
      lines.push_back(error.ToString());
      LogError(lines.back());
    }
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }

  void Watch(absl::Duration interval) {
    std::string seen;
    while (Wait(interval)) {
      std::string now = Fingerprint(parts_.paths);
      // Loaded only once it stays as it is: whoever writes may not be done.
      const bool settled = now == seen;
      seen = std::move(now);
      if (!settled || seen == LoadedFingerprint()) continue;
      LogInfo("the configuration has changed");
      // Load() has logged and counted a failure.
      Load().IgnoreError();
    }
  }

  std::string LoadedFingerprint() {
    MutexLock lock(&mutex_);
    return loaded_fingerprint_;
  }

  // False when it is time to stop.
  bool Wait(absl::Duration interval) {
    return !stop_.try_acquire_for(absl::ToChronoNanoseconds(interval));
  }

  const ConfigParts parts_;
  Counter& successes_;
  Counter& failures_;
  Gauge& last_success_;
  std::binary_semaphore stop_{0};
  std::thread watcher_;

  Mutex mutex_;
  std::map<std::string, std::string> domain_of_path_ ABSL_GUARDED_BY(mutex_);
  std::string active_hash_ ABSL_GUARDED_BY(mutex_);
  std::string loaded_fingerprint_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<ConfigManager> NewConfigManager(ConfigParts parts) {
  return std::make_unique<ConfigManagerImpl>(std::move(parts));
}

}  // namespace rls
