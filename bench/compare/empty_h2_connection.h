#ifndef RLS_BENCH_COMPARE_EMPTY_H2_CONNECTION_H_
#define RLS_BENCH_COMPARE_EMPTY_H2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compare/h2_link.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "net/file_descriptor.h"

namespace rls {

struct EmptyH2Call {
  std::string request;
  std::string reply;
  size_t sent = 0;
  bool known_path = false;
};

// What the connections of a loop share: memory that is used again and again.
struct EmptyH2Memory {
  EmptyH2Call* TakeCall();

  std::vector<uint8_t> room = std::vector<uint8_t>(size_t{256} << 10);
  std::vector<std::unique_ptr<EmptyH2Call>> calls;
  std::vector<EmptyH2Call*> spare;
  envoy::service::ratelimit::v3::RateLimitRequest request;
  envoy::service::ratelimit::v3::RateLimitResponse response;
};

// A client of the empty server.
//
// Threads: made by any thread, then used by that of its epoll only.
class EmptyH2Connection {
 public:
  // Its events come to `epoll`, with itself, from now on.
  EmptyH2Connection(FileDescriptor socket, int epoll, EmptyH2Memory& memory);

  // Reads, answers and writes what there is; false: it is over.
  bool Proceed();

 private:
  struct Callbacks;  // what nghttp2 calls

  bool Answer(EmptyH2Call& call);

  EmptyH2Memory& memory_;
  H2Link link_;
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_EMPTY_H2_CONNECTION_H_
