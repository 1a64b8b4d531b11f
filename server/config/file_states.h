#ifndef RLS_CONFIG_FILE_STATES_H_
#define RLS_CONFIG_FILE_STATES_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "config/load.h"
#include "rules/rule_book.h"

namespace rls {

// The configuration files as the last load found them, and the rule that says
// which domains a file keeps when it is bad or gone.

// A compiled domain, and the hash of the file content that it comes from.
struct KeptDomain {
  std::shared_ptr<const Domain> domain;
  std::string hash;
};

struct FileState {
  // A bad file has an error. A gone file was read by an earlier load.
  enum class Condition { kGood, kBad, kGone };

  Condition condition = Condition::kGood;
  absl::Time since;  // when the file became bad or gone; unused if it is good
  std::string hash;  // of the last good content
  // A good file has one domain, or none if it is disabled. A file that is bad
  // or gone keeps the domains that it gave before.
  std::map<std::string, KeptDomain> domains;
  int domain_line = 0;
  RedisPlace redis;
};

using FileStates = std::map<std::string, FileState>;  // by path

// One listed file of a load.
struct FoundFile {
  std::string path;
  std::optional<FileState> good;  // nullopt: the file has an error
  std::string named_domain;       // "" if the file is not readable
  // Of a good file whose domain MergeDomains() has to compile, with the lines
  // of its top-level descriptors.
  std::optional<DomainSpec> spec = std::nullopt;
  std::vector<int> node_lines = {};
};

struct SettleOptions {
  absl::Time now;
  // True: the domains of files that are gone stay.
  bool keep_gone = false;
};

// The states after a load, from the states before it and the listed files.
//
// A domain belongs to the first good file that contains it. A domain without
// such a file stays active if a bad file names it or gave it before, or if
// `keep_gone` and its file is gone. A good file that no longer contains its
// earlier domain removes that domain.
//
// If two good files contain one domain, the later file gets an error and counts
// as bad. After MergeDomains() they have the same compiled domain, and share
// it.
FileStates Settle(const FileStates& before, std::vector<FoundFile> found,
                  const SettleOptions& options,
                  std::vector<ConfigError>& errors);

// All domains of the files, and their files in RuleBook::origin.
std::shared_ptr<RuleBook> BookOf(const FileStates& files);

// Identifies the contents of all domains, as input for ContentHash().
std::vector<std::string> ContentsOf(const FileStates& files);

// `redis:` of all files. Two different places are an error.
RedisPlace RedisOf(const FileStates& files, std::vector<ConfigError>& errors);

bool HasGoneFile(const FileStates& files);

// One line for each domain that a bad or a gone file keeps, for the log.
std::vector<std::string> StaleLines(const FileStates& files, absl::Time now);

}  // namespace rls

#endif  // RLS_CONFIG_FILE_STATES_H_
