#include "config/file_states.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace rls {
namespace {

using Condition = FileState::Condition;

class Settling {
 public:
  Settling(const FileStates& before, const SettleOptions& options)
      : before_(before), options_(options) {
    for (const auto& [path, state] : before) {
      for (const auto& [name, kept] : state.domains) active_[name] = &kept;
    }
  }

  void AddGood(FoundFile& file, std::vector<ConfigError>& errors) {
    for (const auto& [name, kept] : file.good->domains) {
      const auto owner = owner_.find(name);
      if (owner == owner_.end() || owner->second.domain == kept.domain)
        continue;
      errors.push_back(DomainTwice(
          name, {.origin = file.path, .line = file.good->domain_line},
          owner->second.path));
      file.good.reset();
      return;
    }
    Add(file.path, *std::move(file.good));
  }

  void AddBad(const FoundFile& file) {
    if (after_.contains(file.path)) return;  // the path is listed twice
    FileState state = Stale(file.path, Condition::kBad);
    const auto active = active_.find(file.named_domain);
    if (active != active_.end()) {
      state.domains.emplace(active->first, *active->second);
    }
    Add(file.path, std::move(state));
  }

  void AddGone(const std::string& path) {
    if (after_.contains(path) || !options_.keep_gone) return;
    FileState state = Stale(path, Condition::kGone);
    if (!state.domains.empty()) Add(path, std::move(state));
  }

  FileStates TakeAfter() { return std::move(after_); }

 private:
  struct Owner {
    std::string path;
    std::shared_ptr<const Domain> domain;
  };

  void Add(const std::string& path, FileState state) {
    // Domains that another file has taken over are no longer kept.
    std::erase_if(state.domains, [&](const auto& domain) {
      const auto [owner, is_new] =
          owner_.emplace(domain.first, Owner{path, domain.second.domain});
      return !is_new && owner->second.domain != domain.second.domain;
    });
    after_.emplace(path, std::move(state));
  }

  FileState Stale(const std::string& path, Condition condition) const {
    const auto known = before_.find(path);
    FileState state = known == before_.end() ? FileState() : known->second;
    if (state.condition != condition) state.since = options_.now;
    state.condition = condition;
    return state;
  }

  const FileStates& before_;
  const SettleOptions& options_;
  absl::flat_hash_map<std::string, const KeptDomain*> active_;
  absl::flat_hash_map<std::string, Owner> owner_;  // by domain
  FileStates after_;
};

const char* ConditionWord(FileState::Condition condition) {
  switch (condition) {
    case FileState::Condition::kGood:
      return "good";
    case FileState::Condition::kBad:
      return "bad";
    case FileState::Condition::kGone:
      return "gone";
  }
  return "";
}

}  // namespace

FileStates Settle(const FileStates& before, std::vector<FoundFile> found,
                  const SettleOptions& options,
                  std::vector<ConfigError>& errors) {
  Settling settling(before, options);
  for (FoundFile& file : found) {
    if (file.good.has_value()) settling.AddGood(file, errors);
  }
  for (const FoundFile& file : found) settling.AddBad(file);
  for (const auto& [path, unused] : before) settling.AddGone(path);
  return settling.TakeAfter();
}

std::shared_ptr<RuleBook> BookOf(const FileStates& files) {
  auto book = std::make_shared<RuleBook>();
  book->loaded = true;
  book->origin.source = "files";
  for (const auto& [path, state] : files) {
    for (const auto& [name, kept] : state.domains) {
      book->domains.emplace(name, kept.domain);
      book->origin.domains[name].push_back(
          {path, kept.hash, ConditionWord(state.condition)});
    }
  }
  return book;
}

std::vector<std::string> ContentsOf(const FileStates& files) {
  std::map<std::string, std::string> hashes;  // by domain
  for (const auto& [path, state] : files) {
    for (const auto& [name, kept] : state.domains) hashes[name] = kept.hash;
  }
  std::vector<std::string> contents;
  for (const auto& [name, hash] : hashes) {
    contents.push_back(name);
    contents.push_back(hash);
  }
  return contents;
}

RedisPlace RedisOf(const FileStates& files, std::vector<ConfigError>& errors) {
  RedisPlace redis;
  for (const auto& [path, state] : files) {
    MergeRedis(state.redis, redis, errors);
  }
  return redis;
}

bool HasGoneFile(const FileStates& files) {
  return std::any_of(files.begin(), files.end(), [](const auto& file) {
    return file.second.condition == Condition::kGone;
  });
}

std::vector<std::string> StaleLines(const FileStates& files, absl::Time now) {
  std::vector<std::string> lines;
  for (const auto& [path, state] : files) {
    if (state.condition == Condition::kGood) continue;
    const bool gone = state.condition == Condition::kGone;
    const int64_t seconds = absl::ToInt64Seconds(now - state.since);
    const std::string age =
        seconds <= 0 ? "0s" : absl::FormatDuration(absl::Seconds(seconds));
    for (const auto& [name, unused] : state.domains) {
      lines.push_back(absl::StrCat(
          path, gone ? " has been gone for " : " has been bad for ", age,
          ": domain ", Quoted(name),
          gone ? " keeps its rules until a file contains it or SIGHUP removes "
                 "it"
               : " keeps its last good rules"));
    }
  }
  return lines;
}

}  // namespace rls
