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
#include "config/load_metrics.h"
#include "config/reload_log.h"
#include "config/sources.h"

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
      : parts_(std::move(parts)), load_metrics_(parts_.metrics) {}

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
    Sources sources;
    RedisPlace redis;
    for (const ReadResult& result : results) {
      AddDomain(result, *book, sources, errors);
      MergeRedis(result.file.redis, redis, errors);
    }
    // A path that cannot be listed may hold any of the other domains.
    if (!all_listed) {
      const auto current = parts_.rules.Get();
      book->domains.insert(current->domains.begin(), current->domains.end());
      sources.AddMissingOf(sources_);
    }
    const bool first = !parts_.rules.Get()->loaded;
    if (errors.empty() || !first) {
      LogChanges(*parts_.rules.Get(), *book);
      parts_.rules.Set(std::move(book));
      sources_ = std::move(sources);
      load_metrics_.SetActive(ContentHash(sources_.Contents()));
    }
    if (!errors.empty()) return Fail(errors, first);
    load_metrics_.Succeeded(parts_.clock.Now());
    if (first) started_redis_url_ = redis.url;
    if (redis.url != started_redis_url_ && redis.url != redis_.url) {
      LogWarning("redis: has changed, which takes effect at the next start");
    }
    redis_ = std::move(redis);
    return absl::OkStatus();
  }

  RedisPlace redis() const override {
    MutexLock lock(&mutex_);
    return redis_;
  }

  void StartWatching(absl::Duration interval) override {
    watcher_ = std::thread([this, interval] { Watch(interval); });
  }

 private:
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
  void AddDomain(const ReadResult& result, RuleBook& book, Sources& sources,
                 std::vector<ConfigError>& errors)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::string name = result.file.domain_name;
    if (name.empty()) name = KnownDomainOf(result.path);
    if (name.empty()) return;
    sources.domain_of_path[result.path] = name;
    const bool disabled =
        !result.file.domain.has_value() && result.file.errors.empty();
    if (disabled) return;
    if (result.file.domain.has_value() && book.domains.contains(name)) {
      errors.push_back(DomainTwice(result.file, result.path,
                                   sources.OtherPathOf(name, result.path)));
      return;
    }
    const std::string hash = ContentHash({result.bytes});
    auto domain = CompileChanged(name, hash, result, errors);
    const auto last_good = CurrentDomain(name);
    if (domain == nullptr && last_good == nullptr) return;
    sources.hash_of_domain[name] =
        domain == nullptr ? sources_.hash_of_domain[name] : hash;
    book.domains.emplace(name, domain == nullptr ? last_good : domain);
  }

  // The domain of a good file; the current one if it comes from the same
  // content, so that what has not changed is not made anew. Null for a bad one.
  std::shared_ptr<const Domain> CompileChanged(const std::string& name,
                                               const std::string& hash,
                                               const ReadResult& result,
                                               std::vector<ConfigError>& errors)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!result.file.domain.has_value()) return nullptr;
    const auto known = sources_.hash_of_domain.find(name);
    if (known != sources_.hash_of_domain.end() && known->second == hash) {
      return CurrentDomain(name);
    }
    auto compiled =
        CompileDomain(*result.file.domain, parts_.metrics, parts_.tier_sources);
    if (compiled.ok()) return *std::move(compiled);
    errors.push_back({.origin = result.path,
                      .text = std::string(compiled.status().message())});
    return nullptr;
  }

  std::shared_ptr<const Domain> CurrentDomain(const std::string& name) const {
    const auto current = parts_.rules.Get();
    const auto it = current->domains.find(name);
    return it == current->domains.end() ? nullptr : it->second;
  }

  std::string KnownDomainOf(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = sources_.domain_of_path.find(path);
    return it == sources_.domain_of_path.end() ? "" : it->second;
  }

  // Of the first load only the caller tells, who ends with it.
  absl::Status Fail(const std::vector<ConfigError>& errors, bool first)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    load_metrics_.Failed();
    std::vector<std::string> lines;
    for (const ConfigError& error : errors) {
      lines.push_back(error.ToString());
      if (!first) LogError(lines.back());
    }
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }

  void Watch(absl::Duration interval) {
    // Of intervals: a file that never rests holds up the others no longer.
    constexpr int kMaxUnsettled = 8;
    std::string seen;
    int unsettled = 0;
    while (Wait(interval)) {
      std::string now = Fingerprint(parts_.paths);
      // Loaded only once it stays as it is: whoever writes may not be done.
      unsettled = now == seen ? 0 : unsettled + 1;
      seen = std::move(now);
      if (unsettled > 0 && unsettled < kMaxUnsettled) continue;
      unsettled = 0;
      if (seen == LoadedFingerprint()) continue;
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
  std::binary_semaphore stop_{0};
  std::thread watcher_;

  mutable Mutex mutex_;
  LoadMetrics load_metrics_ ABSL_GUARDED_BY(mutex_);
  RedisPlace redis_ ABSL_GUARDED_BY(mutex_);
  std::string started_redis_url_ ABSL_GUARDED_BY(mutex_);
  Sources sources_ ABSL_GUARDED_BY(mutex_);
  std::string loaded_fingerprint_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<ConfigManager> NewConfigManager(ConfigParts parts) {
  return std::make_unique<ConfigManagerImpl>(std::move(parts));
}

}  // namespace rls
