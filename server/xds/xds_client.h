#ifndef RLS_XDS_XDS_CLIENT_H_
#define RLS_XDS_XDS_CLIENT_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "net/tls.h"
#include "rules/domain_spec.h"

namespace rls {

// The rules of one domain, as a server of configuration sent them.
struct XdsDomain {
  // The same object as in the snapshot before if the resource has not changed.
  std::shared_ptr<const DomainSpec> spec;
  std::string resource;  // its name
  std::string digest;    // SHA-256 of the resource, for comparing replicas
};

// A reason why a resource is refused.
struct XdsError {
  std::string resource;  // "" if its name cannot be read
  std::string text;

  std::string ToString() const;  // `resource "name": text`

  friend bool operator==(const XdsError&, const XdsError&) = default;
};

// All rules in force after a response.
struct XdsSnapshot {
  std::string version;  // of the response. Any text; "" is valid too
  // Sorted by domain; no domain occurs twice. Bad resources have their last
  // good rules here.
  std::vector<XdsDomain> domains;
  std::vector<XdsError> errors;  // empty: the response is accepted
};

enum class XdsProtocol { kStateOfTheWorld, kDelta };

inline constexpr size_t kDefaultMaxXdsResponseBytes = size_t{64} << 20;

struct XdsOptions {
  XdsProtocol protocol = XdsProtocol::kStateOfTheWorld;
  std::string server = "localhost:18000";  // host:port, or unix:PATH
  std::string node_id = "default";
  std::vector<std::pair<std::string, std::string>> node_metadata;
  // Additional headers of each stream.
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<TlsOptions> tls;  // nullopt: plain text
  size_t max_response_bytes = kDefaultMaxXdsResponseBytes;
  // The wait before a new stream. It doubles with each stream that ends within
  // kSteadyXdsStream. The client waits at random between (1 - random_factor)
  // times this value and this value.
  absl::Duration backoff_initial = absl::Milliseconds(500);
  absl::Duration backoff_max = absl::Seconds(2);
  double backoff_random_factor = 0.5;  // 0 to 1; 0: no jitter
};

// A stream that stays open this long starts the backoff again.
inline constexpr absl::Duration kSteadyXdsStream = absl::Seconds(10);

// A server answers a refusal, or a repeated acceptance, at once, often with the
// same response. So the answer to a response that changes nothing waits: first
// this long, then twice as long each time, up to the maximum. The maximum also
// delays the next good response, because servers send it after the answer.
inline constexpr absl::Duration kFirstXdsHold = absl::Milliseconds(100);
inline constexpr absl::Duration kMaxXdsHold = absl::Seconds(1);

// A client of a server of configuration: Envoy's aggregated discovery service
// (ADS), for resources of type ratelimit.config.ratelimit.v3.RateLimitConfig.
//
// A response is accepted (ACK), or refused (NACK) with a text for each bad
// resource. The good resources of a refused response are in force all the same.
// If the stream ends, the rules stay in force, and the client opens a new
// stream with the last accepted version. It reads the files of TLS again for
// each stream. If they do not match each other, it uses the former contents.
// See docs/decisions/0023-xds.md.
//
// Threads: the constructor starts a thread. The destructor ends the stream and
// the thread.
class XdsClient {
 public:
  virtual ~XdsClient() = default;
};

// Called for the first response, and for each response that has another
// version, other rules or other errors. Runs on the client's thread, before the
// response is acknowledged.
using XdsCallback = std::function<void(const XdsSnapshot&)>;

// Failure: INVALID_ARGUMENT for options without meaning. An unreachable server
// and unusable files of TLS are no failure: the client logs them and tries
// again.
// Lifetime: `metrics` and `clock` must outlive the client.
absl::StatusOr<std::unique_ptr<XdsClient>> NewXdsClient(
    const XdsOptions& options, XdsCallback callback, Metrics& metrics,
    const Clock& clock);

}  // namespace rls

#endif  // RLS_XDS_XDS_CLIENT_H_
