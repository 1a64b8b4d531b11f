#include "xds/resource_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/text.h"
#include "xds/rate_limit_resource.h"

namespace rls {

std::vector<XdsError> ResourceTable::Replace(
    const std::vector<ReceivedResource>& resources) {
  Entries next;
  Response response{next};
  for (const ReceivedResource& resource : resources) Store(resource, response);
  if (response.unnamed) next.insert(entries_.begin(), entries_.end());
  entries_ = std::move(next);
  Resolve(response);
  return std::move(response.errors);
}

std::vector<XdsError> ResourceTable::Update(
    const std::vector<ReceivedResource>& resources,
    const std::vector<std::string>& removed) {
  for (const std::string& name : removed) entries_.erase(name);
  Response response{entries_};
  for (const ReceivedResource& resource : resources) Store(resource, response);
  Resolve(response);
  return std::move(response.errors);
}

std::vector<XdsDomain> ResourceTable::Domains() const {
  std::vector<XdsDomain> domains;
  domains.reserve(owners_.size());
  for (const auto& [domain, name] : owners_) {
    const Rules& rules = entries_.at(name).in_force;
    domains.push_back({rules.spec, name, rules.digest});
  }
  return domains;
}

std::map<std::string, std::string> ResourceTable::Versions() const {
  std::map<std::string, std::string> versions;
  for (const auto& [name, entry] : entries_) {
    versions[name] = entry.version;
  }
  return versions;
}

void ResourceTable::Store(const ReceivedResource& resource,
                          Response& response) {
  RateLimitResource read;
  if (resource.error.empty()) {
    read = ReadRateLimitResource(resource.bytes);
  } else {
    read.errors = {resource.error};
  }
  std::string name = resource.name;
  if (name.empty()) name = read.name.empty() ? read.domain_name : read.name;
  response.unnamed |= name.empty();
  for (std::string& error : read.errors) {
    response.errors.push_back({name, std::move(error)});
  }
  if (name.empty()) return;
  if (!response.seen.insert(name).second) {
    response.errors.push_back({name, "is twice in the response"});
    return;
  }
  const auto known = entries_.find(name);
  Entry entry{.version = resource.version};
  if (known != entries_.end()) entry.in_force = known->second.in_force;
  if (read.domain.has_value()) {
    entry.received = {nullptr, Sha256Hex(resource.bytes)};
    if (known != entries_.end() &&
        known->second.received.digest == entry.received.digest) {
      entry.received = known->second.received;
    } else {
      entry.received.spec =
          std::make_shared<const DomainSpec>(*std::move(read.domain));
    }
  }
  response.entries[name] = std::move(entry);
}

void ResourceTable::Resolve(Response& response) {
  std::map<std::string, std::string> owners;
  for (const auto& [name, entry] : entries_) {
    if (entry.received.spec == nullptr) continue;
    const std::string& domain = entry.received.spec->name;
    const auto [owner, is_first] = owners.emplace(domain, name);
    const auto before = owners_.find(domain);
    if (!is_first && before != owners_.end() && before->second == name) {
      owner->second = name;
    }
  }
  std::vector<std::pair<const std::string, Entry>*> others;
  for (auto& named : entries_) {
    auto& [name, entry] = named;
    if (entry.received.spec == nullptr) {
      others.push_back(&named);
    } else if (const std::string& owner = owners[entry.received.spec->name];
               owner == name) {
      entry.in_force = entry.received;
    } else {
      others.push_back(&named);
      if (!response.seen.contains(name)) continue;
      response.errors.push_back(
          {name, absl::StrCat("domain ", Quoted(entry.received.spec->name),
                              " is already in resource ", Quoted(owner))});
    }
  }
  for (auto* const named : others) {
    auto& [name, entry] = *named;
    if (entry.in_force.spec != nullptr &&
        !owners.emplace(entry.in_force.spec->name, name).second) {
      entry.in_force = {};
    }
  }
  owners_ = std::move(owners);
}

}  // namespace rls
