#ifndef RLS_TESTS_UNIT_H2_FRAMES_H_
#define RLS_TESTS_UNIT_H2_FRAMES_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace rls {

// A client's HTTP/2 frames, made by hand so that they can be wrong as well.
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

// A header block in HPACK's plainest form, RFC 7541 section 6.2.2.
std::string HeaderBlock(const Fields& fields);

inline constexpr char kDecide[] =
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

inline constexpr char kReflect[] =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

// What a gRPC client sends, and `more`, which replaces what it names.
Fields RequestFields(const std::string& path, const Fields& more = {});
std::string RequestHead(int32_t stream, const std::string& path,
                        const Fields& more = {}, uint8_t flags = 0);
// DATA with the end of the stream unless told otherwise.
std::string Data(int32_t stream, absl::string_view bytes,
                 uint8_t flags = NGHTTP2_FLAG_END_STREAM);

// A message of gRPC after its flag byte and length.
std::string Prefixed(absl::string_view message, char flag = 0);

// A RateLimitRequest of domain "d" with one descriptor.
std::string AskMessage();
// The whole of a ShouldRateLimit call.
std::string Ask(int32_t stream);

struct Response {
  Fields headers;
  std::string data;
  Fields trailers;  // of the last header block, which may be the only one
  bool ended = false;
  std::optional<uint32_t> reset;  // its error code

  bool over() const { return ended || reset.has_value(); }
  // The value of a field, or "-".
  std::string header(absl::string_view name) const;
  std::string trailer(absl::string_view name) const;
};

struct GoAwayFrame {
  int32_t last_stream = 0;
  uint32_t code = 0;
};

// The client's end of what a server sends.
class H2Answers {
 public:
  H2Answers();
  ~H2Answers();
  H2Answers(const H2Answers&) = delete;
  H2Answers& operator=(const H2Answers&) = delete;

  void Feed(absl::string_view bytes);

  const Response& response(int32_t stream) { return responses_[stream]; }
  const std::map<int32_t, Response>& responses() const { return responses_; }
  size_t ended() const;  // responses

  std::vector<GoAwayFrame> goaways;
  std::vector<std::string> pings;      // that are to be answered
  std::vector<std::string> ping_acks;  // to ours
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

#endif  // RLS_TESTS_UNIT_H2_FRAMES_H_
