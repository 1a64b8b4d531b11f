#ifndef RLS_STORE_REDIS_ENDPOINT_SOURCE_H_
#define RLS_STORE_REDIS_ENDPOINT_SOURCE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/endpoint.h"
#include "net/stream.h"
#include "store_redis/redis_target.h"

namespace rls {

// Knows where the server is that a connection wants: asked before each attempt,
// and again and again while it lasts.
//
// Threads: its loop's only.
class EndpointSource {
 public:
  using FoundCallback = absl::AnyInvocable<void(absl::StatusOr<Endpoint>)>;

  virtual ~EndpointSource() =
      default;  // `done` of what is under way never runs

  // `done` may run within Find(). It hears UNAVAILABLE when nobody knows. A new
  // Find() replaces one that is under way, whose `done` never runs.
  virtual void Find(FoundCallback done) = 0;
};

// A server that stays where it is.
std::unique_ptr<EndpointSource> NewConstantSource(Endpoint endpoint);

struct SentinelOptions {
  std::vector<Endpoint> sentinels;
  std::string master_name;
  RedisCredentials credentials;  // of the sentinels
};

// Asks the sentinels for their master: each time another one first, and the
// next when one does not know or does not answer. One that has missed a
// failover of which another one has told is not believed.
//
// Source: Redis, "Guidelines for Redis clients with support for Redis
// Sentinel".
std::unique_ptr<EndpointSource> NewSentinelSource(const StreamParts& parts,
                                                  SentinelOptions options);

}  // namespace rls

#endif  // RLS_STORE_REDIS_ENDPOINT_SOURCE_H_
