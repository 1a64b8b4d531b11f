#ifndef RLS_CONFIG_SOURCES_H_
#define RLS_CONFIG_SOURCES_H_

#include <map>
#include <string>
#include <vector>

namespace rls {

// Where the domains of a rule book come from.
struct Sources {
  std::map<std::string, std::string> domain_of_path;
  std::map<std::string, std::string> hash_of_domain;  // of the file's content

  void AddMissingOf(const Sources& other) {
    domain_of_path.insert(other.domain_of_path.begin(),
                          other.domain_of_path.end());
    hash_of_domain.insert(other.hash_of_domain.begin(),
                          other.hash_of_domain.end());
  }

  // The file that holds the domain beside the one of `path`; `path` itself if
  // it was given twice.
  std::string OtherPathOf(const std::string& domain,
                          const std::string& path) const {
    for (const auto& [other, name] : domain_of_path) {
      if (name == domain && other != path) return other;
    }
    return path;
  }

  // Equal for equal contents of all domains.
  std::vector<std::string> Contents() const {
    std::vector<std::string> contents;
    for (const auto& [domain, hash] : hash_of_domain) {
      contents.push_back(domain);
      contents.push_back(hash);
    }
    return contents;
  }
};

}  // namespace rls

#endif  // RLS_CONFIG_SOURCES_H_
