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
#include "net/socket.h"

namespace rls {

struct EmptyH2Call {
  std::string request;
  std::string answer;
  size_t sent = 0;
  bool known_path = false;
};

// Memory that the connections of a loop share and reuse.
struct EmptyH2Memory {
  EmptyH2Call* TakeCall();

  std::vector<uint8_t> room = std::vector<uint8_t>(size_t{256} << 10);
  std::vector<std::unique_ptr<EmptyH2Call>> calls;
  std::vector<EmptyH2Call*> spare;
  envoy::service::ratelimit::v3::RateLimitRequest request;
  envoy::service::ratelimit::v3::RateLimitResponse response;
};

// A client's connection to the empty server.
//
// Threads: any thread may construct it. Afterwards only the thread of its epoll
// may use it.
class EmptyH2Connection {
 public:
  // Adds the socket to `epoll`, with `this` as the data of its events.
  EmptyH2Connection(FileDescriptor socket, int epoll, EmptyH2Memory& memory);

  // Reads, answers and writes. False: the connection is closed.
  bool Proceed();

 private:
  struct Callbacks;  // the callbacks of nghttp2

  bool Answer(EmptyH2Call& call);

  EmptyH2Memory& memory_;
  H2Link link_;
};

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_EMPTY_H2_CONNECTION_H_
