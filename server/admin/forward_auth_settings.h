#ifndef RLS_ADMIN_FORWARD_AUTH_SETTINGS_H_
#define RLS_ADMIN_FORWARD_AUTH_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace rls {

// One entry of a descriptor: the key, and the headers whose first that is there
// gives the value.
struct HeaderEntry {
  std::string key;
  std::vector<std::string> headers;
};

// FORWARD_AUTH_DESCRIPTORS, as ParseHeaderDescriptors() reads it: what the
// formats' default identity looks for. The address comes last, so that whoever
// has no name is told from the others by it.
inline constexpr char kDefaultHeaderDescriptors[] =
    "user_id=X-User-ID,authorization=Authorization,api_key=X-API-Key,"
    "model=X-Model,remote_address=X-Forwarded-For|X-Real-IP";

// How /v1/forward-auth makes a request of the headers it gets.
struct ForwardAuthSettings {
  std::string domain = "default";  // FORWARD_AUTH_DOMAIN
  std::string descriptors = kDefaultHeaderDescriptors;
  // FORWARD_AUTH_TIMEOUT: within it the answer is there, or 503.
  absl::Duration timeout = absl::Seconds(5);
};

// "key=Header|OtherHeader,key=Header;key=Header": descriptors are parted by ;
// their entries by , and the headers of an entry, the first one first, by |.
//
// Failure: INVALID_ARGUMENT that shows the part that is wrong.
absl::StatusOr<std::vector<std::vector<HeaderEntry>>> ParseHeaderDescriptors(
    absl::string_view text);

}  // namespace rls

#endif  // RLS_ADMIN_FORWARD_AUTH_SETTINGS_H_
