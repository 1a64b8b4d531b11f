#ifndef RLS_TESTS_UNIT_RPC_LEAN_H2_FRAMES_H_
#define RLS_TESTS_UNIT_RPC_LEAN_H2_FRAMES_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace rls {

// Makes the HTTP/2 frames of a client by hand, so that they can also be
// invalid.
//
// Source: RFC 9113 sections 4 and 6.

std::string BigEndian(uint32_t number);
std::string MakeFrame(uint8_t type, uint8_t flags, int32_t stream,
                      absl::string_view payload = {});
// The magic and a SETTINGS frame with these entries.
std::string Preface(
    const std::vector<std::pair<uint16_t, uint32_t>>& settings = {});
std::string Settings(
    const std::vector<std::pair<uint16_t, uint32_t>>& settings);
std::string Ping(absl::string_view eight_bytes, uint8_t flags = 0);
std::string Reset(int32_t stream, uint32_t code = NGHTTP2_CANCEL);
std::string WindowUpdate(int32_t stream, uint32_t bytes);

using Fields = std::vector<std::pair<std::string, std::string>>;

// A header block in the simplest form of HPACK (RFC 7541 section 6.2.2).
std::string HeaderBlock(const Fields& fields);

// The same field many times. It is stored once in the table of HPACK, and each
// further byte refers to it (RFC 7541 section 6.1). `name` and `value` have at
// most 4,064 bytes together.
std::string RepeatedField(const std::string& name, const std::string& value,
                          size_t times);

inline constexpr char kDecide[] =
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

inline constexpr char kReflect[] =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

// The headers of a gRPC request. `more` replaces and adds fields.
Fields RequestFields(const std::string& path, const Fields& more = {});
std::string RequestHead(int32_t stream, const std::string& path,
                        const Fields& more = {}, uint8_t flags = 0);
// A DATA frame. Default: it ends the stream.
std::string Data(int32_t stream, absl::string_view bytes,
                 uint8_t flags = NGHTTP2_FLAG_END_STREAM);

// A gRPC message with its prefix: the flag byte and the length.
std::string Prefixed(absl::string_view message, char flag = 0);

// A RateLimitRequest of domain "d" with one descriptor.
std::string RateLimitMessage();
// A complete ShouldRateLimit call.
std::string RateLimitCall(int32_t stream);

struct Response {
  Fields headers;
  std::string data;
  Fields trailers;  // the last header block; may be the only one
  bool ended = false;
  std::optional<uint32_t> reset;  // the error code

  bool over() const { return ended || reset.has_value(); }
  // The value of a field, or "-".
  std::string header(absl::string_view name) const;
  std::string trailer(absl::string_view name) const;
};

struct GoAwayFrame {
  int32_t last_stream = 0;
  uint32_t code = 0;
};

// Reads the output of a server, as its client.
class H2Answers {
 public:
  H2Answers();
  ~H2Answers();
  H2Answers(const H2Answers&) = delete;
  H2Answers& operator=(const H2Answers&) = delete;

  void Feed(absl::string_view bytes);

  const Response& response(int32_t stream) { return responses_[stream]; }
  const std::map<int32_t, Response>& responses() const { return responses_; }
  size_t ended() const;  // the number of ended responses

  std::vector<GoAwayFrame> goaways;
  std::vector<std::string> pings;      // without acknowledgements
  std::vector<std::string> ping_acks;  // to the PINGs of the client
  std::map<uint16_t, uint32_t> settings;
  size_t settings_acks = 0;
  size_t data_frames = 0;

 private:
  void TakeFrame(uint8_t type, uint8_t flags, int32_t stream,
                 absl::string_view payload);
  void TakeHeaders(bool end_stream, int32_t stream, absl::string_view block);
  void TakeSettings(absl::string_view payload);

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string bytes_;
  std::map<int32_t, Response> responses_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_RPC_LEAN_H2_FRAMES_H_
