#include "config/merge_domains.h"

#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/descriptor_format.h"
#include "config/reload.h"

namespace rls {
namespace {

using Group = std::vector<FoundFile*>;  // the files of one domain

size_t CountNodes(const std::vector<RuleNode>& nodes) {
  size_t count = nodes.size();
  for (const RuleNode& node : nodes) count += CountNodes(node.children);
  return count;
}

// The top-level descriptors of the files before.
class SeenNodes {
 public:
  // The error of the first descriptor of `file` that a file before has, too.
  std::optional<ConfigError> Add(const FoundFile& file) {
    for (size_t i = 0; i < file.spec->nodes.size(); ++i) {
      const RuleNode& node = file.spec->nodes[i];
      const int line = i < file.node_lines.size() ? file.node_lines[i] : 0;
      const auto [first, is_new] = seen_.emplace(
          std::pair(node.key, node.value), absl::StrCat(file.path, ":", line));
      if (is_new) continue;
      return ConfigError{
          .origin = file.path,
          .line = line,
          .text = absl::StrCat("a descriptor with key ", Quoted(node.key),
                               " and value ", Quoted(ShownValue(node)),
                               " is already in ", first->second)};
    }
    return std::nullopt;
  }

 private:
  absl::flat_hash_map<std::pair<std::string, std::string>, std::string> seen_;
};

// The reason why `file` cannot be merged into the files before.
std::optional<ConfigError> Conflict(const FoundFile& file,
                                    const FoundFile& first, size_t& nodes,
                                    SeenNodes& seen) {
  ConfigError error{.origin = file.path, .line = file.good->domain_line};
  if (file.spec->accounting != first.spec->accounting) {
    error.text = absl::StrCat("accounting: found another than in ", first.path,
                              ", expected the same in all files of domain ",
                              Quoted(first.named_domain));
    return error;
  }
  nodes += CountNodes(file.spec->nodes);
  if (nodes > kMaxRules) {
    error.text =
        absl::StrCat("domain ", Quoted(first.named_domain), " has with ",
                     "the files before more than ", kMaxRules, " descriptors");
    return error;
  }
  return seen.Add(file);
}

class Merging {
 public:
  Merging(const FileStates& before, const DomainCompiler& compile,
          std::vector<ConfigError>& errors)
      : before_(before), compile_(compile), errors_(errors) {
    for (const auto& [path, state] : before) {
      for (const auto& [name, kept] : state.domains) active_[name] = kept;
    }
  }

  // The domains that bad files name or gave before.
  void AddBad(const FoundFile& file) {
    bad_.insert(file.named_domain);
    const auto known = before_.find(file.path);
    if (known == before_.end()) return;
    for (const auto& [name, unused] : known->second.domains) bad_.insert(name);
  }

  void Merge(const std::string& name, const Group& files) {
    std::vector<std::string> hashes;
    for (const FoundFile* file : files) hashes.push_back(file->good->hash);
    const std::string hash =
        hashes.size() == 1 ? hashes[0] : ContentHash(hashes);
    const auto active = active_.find(name);
    const bool is_known = active != active_.end();
    if (bad_.contains(name) || (is_known && active->second.hash == hash)) {
      if (is_known) GiveAll(files, name, active->second);
      return;
    }
    auto compiled = Compile(files);
    if (compiled != nullptr) {
      GiveAll(files, name, {std::move(compiled), hash});
    } else if (is_known) {
      GiveAll(files, name, active->second);
    }
  }

 private:
  static void GiveAll(const Group& files, const std::string& name,
                      const KeptDomain& domain) {
    for (FoundFile* file : files) {
      if (file->good.has_value()) file->good->domains[name] = domain;
    }
  }

  // Null if there is an error. The file in error is no longer good.
  std::shared_ptr<const Domain> Compile(const Group& files) {
    SeenNodes seen;
    size_t nodes = 0;
    for (FoundFile* file : files) {
      if (auto conflict = Conflict(*file, *files[0], nodes, seen)) {
        errors_.push_back(*std::move(conflict));
        file->good.reset();
        return nullptr;
      }
    }
    DomainSpec merged = *std::move(files[0]->spec);
    for (size_t i = 1; i < files.size(); ++i) {
      std::vector<RuleNode>& more = files[i]->spec->nodes;
      merged.nodes.insert(merged.nodes.end(),
                          std::make_move_iterator(more.begin()),
                          std::make_move_iterator(more.end()));
    }
    auto compiled = compile_(std::move(merged));
    if (compiled.ok()) return *std::move(compiled);
    errors_.push_back({.origin = files[0]->path,
                       .text = std::string(compiled.status().message())});
    files[0]->good.reset();
    return nullptr;
  }

  const FileStates& before_;
  const DomainCompiler& compile_;
  std::vector<ConfigError>& errors_;
  std::map<std::string, KeptDomain> active_;
  std::set<std::string> bad_;
};

}  // namespace

void MergeDomains(const FileStates& before, std::vector<FoundFile>& found,
                  const DomainCompiler& compile,
                  std::vector<ConfigError>& errors) {
  Merging merging(before, compile, errors);
  std::map<std::string, Group> groups;
  for (FoundFile& file : found) {
    if (!file.good.has_value()) {
      merging.AddBad(file);
    } else if (file.spec.has_value()) {
      groups[file.named_domain].push_back(&file);
    }
  }
  for (const auto& [name, files] : groups) merging.Merge(name, files);
}

}  // namespace rls
