#include "rpc/json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/read_query.h"

namespace rls {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;

namespace {

// Counts the objects of a JSON text by their depth: the elements of an array
// in the outermost object are descriptors, those of an array in a descriptor
// are entries.
class JsonCounts {
 public:
  // Failure: INVALID_ARGUMENT, if the text has more descriptors or entries than
  // a request may have.
  absl::Status Add(absl::string_view json) {
    for (size_t i = 0; i < json.size(); ++i) {
      const char c = json[i];
      if (c == '"') {
        i = EndOfString(json, i);
      } else if (c == '{' || c == '[') {
        ++depth_;
        if (c == '{' && !Count()) {
          return TooMany();
        }
      } else if (c == '}' || c == ']') {
        --depth_;
      }
    }
    return absl::OkStatus();
  }

 private:
  static constexpr int kDescriptorDepth = 3;  // { [ {
  static constexpr int kEntryDepth = 5;

  // The index of the closing quote.
  static size_t EndOfString(absl::string_view json, size_t begin) {
    size_t i = begin + 1;
    while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
    return i;
  }

  bool Count() {
    if (depth_ == kDescriptorDepth) {
      entries_ = 0;
      return ++descriptors_ <= kMaxDescriptors;
    }
    return depth_ != kEntryDepth || ++entries_ <= kMaxEntries;
  }

  absl::Status TooMany() const {
    return absl::InvalidArgumentError(
        descriptors_ > kMaxDescriptors
            ? absl::StrCat("descriptors: more than ", kMaxDescriptors)
            : absl::StrCat("descriptors[", descriptors_ - 1,
                           "].entries: more than ", kMaxEntries));
  }

  int depth_ = 0;
  int descriptors_ = 0;
  int entries_ = 0;  // of the current descriptor
};

}  // namespace

JsonRequest::JsonRequest() : message_(std::make_unique<RateLimitRequest>()) {}

JsonRequest::~JsonRequest() = default;

absl::Status JsonRequest::Read(absl::string_view json) {
  // To parse a text takes a hundred times as long as to count its objects.
  absl::Status counted = JsonCounts().Add(json);
  if (!counted.ok()) return counted;
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
