#include "rpc/json.h"

#include <google/protobuf/util/json_util.h>

#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/json_shape.h"
#include "rpc/read_query.h"

namespace rls {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;

JsonRequest::JsonRequest() : message_(std::make_unique<RateLimitRequest>()) {}

JsonRequest::~JsonRequest() = default;

absl::Status JsonRequest::Read(absl::string_view json) {
  if (absl::Status shape = CheckJsonShape(json); !shape.ok()) return shape;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      std::string(json), message_.get());
  if (!parsed.ok()) return absl::InvalidArgumentError(parsed.ToString());
  return ReadMessage();
}

absl::Status JsonRequest::ReadMessage() {
  query_.domain = message_->domain();
  query_.hits = message_->hits_addend();
  for (const auto& from : message_->descriptors()) {
    const size_t index = query_.descriptors.size();
    Descriptor& to = query_.descriptors.emplace_back();
    for (const auto& entry : from.entries()) {
      to.entries.push_back({entry.key(), entry.value()});
    }
    if (from.has_hits_addend()) to.hits = from.hits_addend().value();
    to.is_negative_hits = from.is_negative_hits();
    absl::Status checked = CheckDescriptor(to, index);
    if (checked.ok() && from.has_limit()) {
      WireOverride limit{.requests_per_unit = from.limit().requests_per_unit(),
                         .unit = static_cast<uint64_t>(from.limit().unit())};
      if (from.limit().has_unit_multiplier()) {
        limit.unit_multiplier = from.limit().unit_multiplier().value();
      }
      checked = ReadOverride(limit, index, to.limit_override.emplace());
    }
    if (!checked.ok()) return checked;
  }
  return CheckQuery(query_);
}

JsonResponse::JsonResponse()
    : message_(std::make_unique<RateLimitResponse>()) {}

JsonResponse::~JsonResponse() = default;

void JsonResponse::Set(const AnswerSettings& settings, const Verdict& verdict) {
  WriteVerdict(settings, verdict, *message_);
}

absl::StatusOr<std::string> JsonResponse::Text() const {
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(*message_, &json).ok()) {
    return absl::InternalError("the answer cannot be written as JSON");
  }
  return json;
}

}  // namespace rls
