#include "rpc/json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/status/status.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;

absl::StatusOr<std::string> RequestFromJson(absl::string_view json) {
  RateLimitRequest request;
  const auto status =
      google::protobuf::util::JsonStringToMessage(std::string(json), &request);
  if (!status.ok()) {
    return absl::InvalidArgumentError(status.ToString());
  }
  return request.SerializeAsString();
}

absl::StatusOr<std::string> ResponseToJson(absl::string_view response) {
  RateLimitResponse message;
  std::string json;
  if (!message.ParseFromArray(response.data(),
                              static_cast<int>(response.size())) ||
      !google::protobuf::util::MessageToJsonString(message, &json).ok()) {
    return absl::InternalError("the answer cannot be written as JSON");
  }
  return json;
}

}  // namespace rls
