#ifndef RLS_APP_XDS_SETTINGS_H_
#define RLS_APP_XDS_SETTINGS_H_

#include <optional>

#include "xds/xds_client.h"

namespace rls {

class EnvironmentReader;

// Reads CONFIG_TYPE and, for its values GRPC_XDS_SOTW and GRPC_XDS_DELTA, the
// options of the client, from the variables of envoyproxy/ratelimit. Nullopt:
// the rules come from files. The reader keeps the first error.
std::optional<XdsOptions> ReadXdsSettings(EnvironmentReader& reader);

}  // namespace rls

#endif  // RLS_APP_XDS_SETTINGS_H_
