#include <cstdio>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "commands.h"
#include "config/file_states.h"
#include "config/load.h"
#include "config/merge_domains.h"
#include "metrics/metrics.h"
#include "rules/domain.h"

namespace rls {
namespace {

std::string Summary(const TierSummary& tiers) {
  std::vector<std::string> users;
  for (const auto& [user, tier] : tiers.assignments) {
    if (users.size() == TierSummary::kShown) {
      users.push_back("...");
      break;
    }
    users.push_back(absl::StrCat(user, "→", tier));
  }
  std::string limits;
  for (const auto& [tier, text] : tiers.limits) {
    absl::StrAppend(&limits, "✓ Tier ", tier, ": ", text, "\n");
  }
  return absl::StrCat("✓ Config valid\n✓ Rate limiting: ", tiers.tiers.size(),
                      " tiers configured (", absl::StrJoin(tiers.tiers, "/"),
                      ")\n✓ User assignments: ", tiers.assigned, " users (",
                      absl::StrJoin(users, ", "), ")\n", limits);
}

// Collected from the files before.
struct Known {
  bool merges = false;  // several files may contain one domain
  std::vector<ConfigError> warnings;
  std::vector<FoundFile> to_merge;
  std::map<std::string, std::string> path_of_domain;
  RedisPlace redis;
};

// As the server reads the variable.
bool IsMergeOn() {
  const auto value = ProcessEnvironment("MERGE_DOMAIN_CONFIG");
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (value == yes) return true;
  }
  return false;
}

std::string DomainSummary(const std::string& name, const Domain& domain) {
  size_t rules = 0;
  domain.ForEachRule([&rules](const CompiledRule&) { ++rules; });
  return absl::StrCat("✓ Config valid\n✓ Domain ", name, ": ", rules,
                      " rules\n");
}

void MergeFileRedis(const LoadedFile& file, Known& known,
                    std::vector<std::string>& errors) {
  std::vector<ConfigError> redis_errors;
  MergeRedis(file.redis, known.redis, redis_errors);
  for (const ConfigError& error : redis_errors) {
    errors.push_back(error.ToString());
  }
}

// Returns the summary of one file. Adds its errors to `errors`.
std::string ReadOne(const std::string& path, Metrics& metrics, Known& known,
                    std::vector<std::string>& errors) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxConfigBytes);
  if (!bytes.ok()) {
    errors.emplace_back(bytes.status().message());
    return "";
  }
  LoadedFile file = LoadConfig(*bytes, path, ProcessEnvironment);
  for (const ConfigError& error : file.errors) {
    errors.push_back(error.ToString());
  }
  known.warnings.insert(known.warnings.end(), file.warnings.begin(),
                        file.warnings.end());
  if (!file.errors.empty()) return "";
  if (known.merges && file.domain.has_value() && !file.tiers.has_value()) {
    known.to_merge.push_back(
        {.path = path,
         .good = FileState{.domain_line = file.domain_line},
         .named_domain = file.domain_name,
         .spec = *std::move(file.domain),
         .node_lines = std::move(file.node_lines)});
    MergeFileRedis(file, known, errors);
    return "";
  }
  if (file.domain.has_value()) {
    const auto [other, is_first] =
        known.path_of_domain.emplace(file.domain_name, path);
    if (!is_first) {
      errors.push_back(DomainTwice(file.domain_name,
                                   {.origin = path, .line = file.domain_line},
                                   other->second)
                           .ToString());
    }
  }
  MergeFileRedis(file, known, errors);
  if (file.tiers.has_value()) return Summary(*file.tiers);
  const auto domain = CompileDomain(*std::move(file.domain), metrics);
  if (!domain.ok()) {
    errors.push_back(absl::StrCat(path, ": ", domain.status().message()));
    return "";
  }
  return DomainSummary(file.domain_name, **domain);
}

// Returns the summary of the domains of several files.
std::string MergeFiles(Metrics& metrics, Known& known,
                       std::vector<std::string>& errors) {
  std::vector<ConfigError> found;
  MergeDomains(
      {}, known.to_merge,
      [&metrics](DomainSpec spec) {
        return CompileDomain(std::move(spec), metrics);
      },
      found);
  for (const ConfigError& error : found) errors.push_back(error.ToString());
  std::map<std::string, std::string> summaries;
  for (const FoundFile& file : known.to_merge) {
    if (!file.good.has_value()) continue;
    for (const auto& [name, kept] : file.good->domains) {
      summaries[name] = DomainSummary(name, *kept.domain);
      const auto other = known.path_of_domain.find(name);
      if (other == known.path_of_domain.end()) continue;
      errors.push_back(
          DomainTwice(name,
                      {.origin = file.path, .line = file.good->domain_line},
                      other->second)
              .ToString());
    }
  }
  std::string text;
  for (const auto& [name, summary] : summaries) text += summary;
  return text;
}

}  // namespace

int ValidateConfig(const std::vector<std::string>& paths) {
  const std::unique_ptr<Metrics> metrics = NewMetrics();
  Known known = {.merges = IsMergeOn()};
  std::vector<std::string> errors;
  std::string text;
  for (const std::string& path : paths) {
    const auto files = ListFiles(path);
    if (!files.ok()) {
      errors.emplace_back(files.status().message());
      continue;
    }
    if (files->empty()) {
      errors.push_back(
          path +
          ": no file in this folder (dot files are not read), so no domain "
          "would be loaded");
    }
    for (const std::string& file : *files) {
      text += ReadOne(file, *metrics, known, errors);
    }
  }
  text += MergeFiles(*metrics, known, errors);
  for (const ConfigError& warning : known.warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.ToString().c_str());
  }
  for (const std::string& error : errors) {
    std::fprintf(stderr, "%s\n", error.c_str());
  }
  if (!errors.empty()) return kExitBadConfig;
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace rls
