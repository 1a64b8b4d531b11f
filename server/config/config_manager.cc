#include "config/config_manager.h"

#include <atomic>
#include <optional>
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
#include "config/file_states.h"
#include "config/merge_domains.h"
#include "config/reload.h"

namespace rls {
namespace {

// The error of a function of base/files. Its message begins with the path.
ConfigError ErrorOf(const std::string& path, const absl::Status& status) {
  absl::string_view text = status.message();
  absl::ConsumePrefix(&text, absl::StrCat(path, ": "));
  return {.origin = path, .text = std::string(text)};
}

class ConfigManagerImpl final : public ConfigManager {
 public:
  explicit ConfigManagerImpl(ConfigDependencies dependencies)
      : dependencies_(std::move(dependencies)),
        load_metrics_(dependencies_.metrics),
        books_(dependencies_.rules) {}

  ~ConfigManagerImpl() override {
    Stop();
    if (watcher_.joinable()) watcher_.join();
  }

  absl::Status Load() override { return LoadFiles(/*keep_gone=*/false); }
  absl::Status LoadChanges() override { return LoadFiles(/*keep_gone=*/true); }

  void RequestLoad() override {
    if (!load_requested_.exchange(true)) wake_.release();
  }

  void Stop() override {
    if (!stopped_.exchange(true)) wake_.release();
  }

  RedisPlace redis() const override {
    MutexLock lock(&mutex_);
    return redis_;
  }

  void StartWatching(absl::Duration interval) override {
    watcher_ = std::thread([this, interval] { Watch(interval); });
  }

 private:
  absl::Status LoadFiles(bool keep_gone) {
    MutexLock lock(&mutex_);
    // Computed before reading the files, so that the next comparison detects a
    // change during the load.
    loaded_fingerprint_ = Fingerprint(dependencies_.paths);
    std::vector<ConfigError> errors;
    bool all_listed = true;
    std::vector<FoundFile> found = ReadAll(errors, all_listed);
    if (stopped_) return absl::CancelledError("the server is ending");
    if (dependencies_.merge_domains) {
      MergeDomains(
          files_, found,
          [this](DomainSpec spec) { return CompileSpec(std::move(spec)); },
          errors);
    }
    const absl::Time now = dependencies_.clock.Now();
    // A path that cannot be listed may contain any domain, so keep all domains.
    FileStates files =
        Settle(files_, std::move(found),
               {.now = now, .keep_gone = keep_gone || !all_listed}, errors);
    RedisPlace redis = RedisOf(files, errors);
    const bool first = !books_.has_published();
    if (errors.empty() || !first) Publish(std::move(files), now);
    if (!errors.empty()) return Fail(errors, first);
    if (HasGoneFile(files_)) {
      load_metrics_.Incomplete();
    } else {
      load_metrics_.Succeeded(now);
    }
    if (first) started_redis_url_ = redis.url;
    if (redis.url != started_redis_url_ && redis.url != redis_.url) {
      LogWarning("redis: has changed, which takes effect at the next start");
    }
    redis_ = std::move(redis);
    return absl::OkStatus();
  }

  // Of the files of one load that are read so far.
  struct Progress {
    size_t bytes = 0;
    std::vector<std::string> warnings;
  };

  std::vector<FoundFile> ReadAll(std::vector<ConfigError>& errors,
                                 bool& all_listed) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<FoundFile> found;
    Progress progress;
    for (const std::string& path : dependencies_.paths) {
      const auto files = ListFiles(path);
      if (!files.ok()) {
        errors.push_back(ErrorOf(path, files.status()));
        all_listed = false;
        continue;
      }
      for (const std::string& file : *files) {
        if (stopped_) return found;
        if (auto one = ReadOne(file, progress, errors)) {
          found.push_back(*std::move(one));
        }
      }
    }
    LimitLines(progress.warnings);
    for (const std::string& line : progress.warnings) LogWarning(line);
    return found;
  }

  // Returns nullopt if the file has vanished since it was listed.
  std::optional<FoundFile> ReadOne(const std::string& path, Progress& progress,
                                   std::vector<ConfigError>& errors) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    FoundFile found{.path = path};
    const absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
    if (absl::IsNotFound(text.status())) return std::nullopt;
    if (!text.ok()) {
      errors.push_back(ErrorOf(path, text.status()));
      return found;
    }
    progress.bytes += text->size();
    if (progress.bytes > kMaxAllConfigBytes) {
      errors.push_back(
          {.origin = path,
           .text = absl::StrCat("with the files before it larger than ",
                                kMaxAllConfigBytes, " bytes")});
      return found;
    }
    std::string hash = ContentHash(*text);
    const auto known = files_.find(path);
    if (!dependencies_.merge_domains && known != files_.end() &&
        known->second.hash == hash &&
        known->second.condition == FileState::Condition::kGood) {
      found.good = known->second;
      return found;
    }
    LoadedFile file =
        LoadConfig(*text, path, dependencies_.environment, &stopped_);
    errors.insert(errors.end(), file.errors.begin(), file.errors.end());
    found.named_domain = file.domain_name;
    // With merge_domains each load reads all files.
    const bool has_changed =
        known == files_.end() || known->second.hash != hash;
    if (file.errors.empty()) {
      if (has_changed) NoteWarnings(file, progress);
      Compile(file, std::move(hash), found, errors);
    }
    return found;
  }

  static void NoteWarnings(const LoadedFile& file, Progress& progress) {
    for (const ConfigError& warning : file.warnings) {
      progress.warnings.push_back(warning.ToString());
    }
  }

  void Compile(LoadedFile& file, std::string hash, FoundFile& found,
               std::vector<ConfigError>& errors) const {
    FileState state{.hash = std::move(hash),
                    .domain_line = file.domain_line,
                    .redis = std::move(file.redis)};
    if (file.domain.has_value() && dependencies_.merge_domains &&
        !file.domain->tiers.has_value()) {
      found.spec = *std::move(file.domain);
      found.node_lines = std::move(file.node_lines);
    } else if (file.domain.has_value()) {
      auto compiled = CompileSpec(*std::move(file.domain));
      if (!compiled.ok()) {
        errors.push_back({.origin = found.path,
                          .text = std::string(compiled.status().message())});
        return;
      }
      state.domains[file.domain_name] = {*std::move(compiled), state.hash};
    }
    found.good = std::move(state);
  }

  absl::StatusOr<std::shared_ptr<const Domain>> CompileSpec(
      DomainSpec spec) const {
    return CompileDomain(std::move(spec), dependencies_.metrics,
                         dependencies_.tier_sources);
  }

  // An empty or wrongly mounted folder looks like this. Every request passes
  // then.
  void WarnIfEmpty(const RuleBook& book) const {
    if (!book.domains.empty()) return;
    LogWarning(absl::StrCat(
        "no domain is loaded, so every request passes: found no rules below ",
        absl::StrJoin(dependencies_.paths, ", "), " (dot files are not read)"));
  }

  void Publish(FileStates files, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::string hash = ContentHash(ContentsOf(files));
    std::shared_ptr<RuleBook> book = BookOf(files);
    book->origin.places = dependencies_.paths;
    book->origin.hash = hash;
    book->origin.loaded = now;
    load_metrics_.SetDomains(book->domains.size());
    WarnIfEmpty(*book);
    books_.Publish(std::move(book));
    files_ = std::move(files);
    load_metrics_.SetActive(hash);
    load_metrics_.SetStale(files_);
    std::vector<std::string> stale = StaleLines(files_, now);
    LimitLines(stale);
    for (const std::string& line : stale) LogWarning(line);
  }

  // The first load does not log its errors: the process ends, and main() prints
  // them.
  absl::Status Fail(const std::vector<ConfigError>& errors, bool first)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    load_metrics_.Failed();
    std::vector<std::string> lines;
    for (const ConfigError& error : errors) lines.push_back(error.ToString());
    LimitLines(lines);
    if (!first) {
      for (const std::string& line : lines) LogError(line);
    }
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }

  void Watch(absl::Duration interval) {
    // Intervals. After them a load runs even if a file still changes, so that
    // this file does not delay changes of other files any longer.
    constexpr int kMaxUnsettled = 8;
    std::string seen;
    int unsettled = 0;
    while (Wait(interval)) {
      // Each load logs and counts its failure.
      if (load_requested_.exchange(false)) Load().IgnoreError();
      std::string now = Fingerprint(dependencies_.paths);
      // Load only when the fingerprint stays the same for an interval. Until
      // then the files may still be being written.
      unsettled = now == seen ? 0 : unsettled + 1;
      seen = std::move(now);
      if (unsettled > 0 && unsettled < kMaxUnsettled) continue;
      unsettled = 0;
      if (IsLoaded(seen)) continue;
      LogInfo("the configuration has changed");
      LoadChanges().IgnoreError();
    }
  }

  bool IsLoaded(const std::string& fingerprint) {
    MutexLock lock(&mutex_);
    books_.DestroyUnused();
    return fingerprint == loaded_fingerprint_;
  }

  // Returns false if the thread must stop.
  bool Wait(absl::Duration interval) {
    (void)wake_.try_acquire_for(absl::ToChronoNanoseconds(interval));
    return !stopped_;
  }

  const ConfigDependencies dependencies_;
  // Released when one of the flags becomes true.
  std::counting_semaphore<> wake_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> load_requested_{false};
  std::thread watcher_;

  mutable Mutex mutex_;
  LoadMetrics load_metrics_ ABSL_GUARDED_BY(mutex_);
  RedisPlace redis_ ABSL_GUARDED_BY(mutex_);
  std::string started_redis_url_ ABSL_GUARDED_BY(mutex_);
  FileStates files_ ABSL_GUARDED_BY(mutex_);
  BookPublisher books_ ABSL_GUARDED_BY(mutex_);
  std::string loaded_fingerprint_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<ConfigManager> NewConfigManager(
    ConfigDependencies dependencies) {
  return std::make_unique<ConfigManagerImpl>(std::move(dependencies));
}

}  // namespace rls
