#ifndef RLS_XDS_XDS_PROTOCOL_H_
#define RLS_XDS_XDS_PROTOCOL_H_

#include <map>
#include <string>
#include <vector>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/resource_table.h"
#include "xds/xds_client.h"

namespace rls {

// The two protocols of xDS, without transport. Both classes have the same
// methods, so that one client serves both:
//
//   First()   the first request of a stream, without type and node
//   Apply()   puts a response into the table; returns its errors
//   Answer()  the request that accepts a response, or refuses it if there are
//             errors; without type
//
// Threads: one thread at a time.

inline constexpr char kXdsTypeUrl[] =
    "type.googleapis.com/ratelimit.config.ratelimit.v3.RateLimitConfig";

// The errors of a response that its refusal names.
inline constexpr size_t kMaxNamedXdsErrors = 20;

// The text of a refusal.
std::string XdsErrorText(const std::vector<XdsError>& errors);

// State of the world: each response has all resources.
class SotwXds {
 public:
  using Request = envoy::service::discovery::v3::DiscoveryRequest;
  using Response = envoy::service::discovery::v3::DiscoveryResponse;

  static const std::string& VersionOf(const Response& response) {
    return response.version_info();
  }

  Request First() const;
  std::vector<XdsError> Apply(const Response& response, ResourceTable& table);
  Request Answer(const Response& response,
                 const std::vector<XdsError>& errors) const;

 private:
  std::string accepted_;  // the version of the last accepted response
  std::string applied_;   // the version of the last response
};

// Delta: each response has the resources that have changed.
class DeltaXds {
 public:
  using Request = envoy::service::discovery::v3::DeltaDiscoveryRequest;
  using Response = envoy::service::discovery::v3::DeltaDiscoveryResponse;

  static const std::string& VersionOf(const Response& response) {
    return response.system_version_info();
  }

  Request First() const;
  std::vector<XdsError> Apply(const Response& response, ResourceTable& table);
  Request Answer(const Response& response,
                 const std::vector<XdsError>& errors) const;

 private:
  std::map<std::string, std::string> versions_;  // of all resources
};

}  // namespace rls

#endif  // RLS_XDS_XDS_PROTOCOL_H_
