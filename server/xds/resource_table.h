#ifndef RLS_XDS_RESOURCE_TABLE_H_
#define RLS_XDS_RESOURCE_TABLE_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "xds/xds_client.h"

namespace rls {

// One resource of a response.
struct ReceivedResource {
  // "": the name is in `bytes`.
  std::string name;
  std::string version;      // of the resource; only delta has it
  absl::string_view bytes;  // an encoded RateLimitConfig
  std::string error = {};   // not "": `bytes` is not a RateLimitConfig
};

// The resources that the server has sent, and the rules that are in force.
//
// A bad resource keeps its last good rules. It is known by its name. If a bad
// resource has no readable name, it may be any resource, so a response with it
// removes no resource.
//
// If several resources have one domain, the resource that has the domain
// already keeps it; otherwise the first one by name gets it. So the order in a
// response does not matter: servers send resources in random order.
class ResourceTable {
 public:
  // Both take the resources of a response and return its errors.
  // State of the world: removes all resources that are not in `resources`.
  std::vector<XdsError> Replace(const std::vector<ReceivedResource>& resources);
  // Delta: removes the resources in `removed`.
  std::vector<XdsError> Update(const std::vector<ReceivedResource>& resources,
                               const std::vector<std::string>& removed);

  // The rules in force, sorted by domain. The rules of a resource that has not
  // changed are the same object as before.
  std::vector<XdsDomain> Domains() const;

  // Name -> version of all resources, for delta. Bad resources are among them,
  // because the server must say when it removes them.
  std::map<std::string, std::string> Versions() const;

 private:
  struct Rules {
    std::shared_ptr<const DomainSpec> spec;  // null: no rules
    std::string digest;
  };
  struct Entry {
    std::string version;
    Rules received;  // null: the resource is bad
    Rules in_force;
  };
  using Entries = std::map<std::string, Entry>;

  // The work on one response.
  struct Response {
    Entries& entries;  // the resources go here
    std::set<std::string> seen = {};
    std::vector<XdsError> errors = {};
    bool unnamed = false;  // a bad resource has no name
  };

  void Store(const ReceivedResource& resource, Response& response);

  // Decides which rules are in force. Adds an error for each resource of the
  // response whose domain another resource has.
  void Resolve(Response& response);

  Entries entries_;
  std::map<std::string, std::string> owners_;  // domain -> resource
};

}  // namespace rls

#endif  // RLS_XDS_RESOURCE_TABLE_H_
