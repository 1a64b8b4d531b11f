#include "rpc/plain.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include "absl/status/status.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;

// Appends one length-delimited field. Written field by field for the reason
// that read_query.h gives: the generated class complains of strings that are
// not UTF-8.
void AppendField(int field, absl::string_view bytes, std::string& message) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::StringOutputStream stream(&message);
  google::protobuf::io::CodedOutputStream output(&stream);
  output.WriteTag(WireFormatLite::MakeTag(
      field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  output.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  output.WriteRaw(bytes.data(), static_cast<int>(bytes.size()));
}

template <typename Headers>
std::vector<PlainHeader> HeadersOf(const Headers& from) {
  std::vector<PlainHeader> headers;
  for (const auto& header : from) {
    headers.push_back({header.key(), header.value()});
  }
  return headers;
}

}  // namespace

std::string WriteRequest(absl::string_view domain,
                         absl::Span<const PlainDescriptor> descriptors) {
  std::string request;
  AppendField(1, domain, request);
  for (const PlainDescriptor& entries : descriptors) {
    std::string descriptor;
    for (const Entry& entry : entries) {
      std::string pair;
      AppendField(1, entry.key, pair);
      AppendField(2, entry.value, pair);
      AppendField(1, pair, descriptor);
    }
    AppendField(2, descriptor, request);
  }
  return request;
}

absl::StatusOr<PlainAnswer> ReadAnswer(absl::string_view response) {
  RateLimitResponse message;
  if (!message.ParseFromArray(response.data(),
                              static_cast<int>(response.size()))) {
    return absl::InternalError("the answer cannot be read");
  }
  return PlainAnswer{
      .response_headers = HeadersOf(message.response_headers_to_add()),
      .request_headers = HeadersOf(message.request_headers_to_add()),
      .body = message.raw_body()};
}

}  // namespace rls
