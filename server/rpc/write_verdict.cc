#include "rpc/write_verdict.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/wire_writer.h"
#include "rpc/write_status.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;

constexpr size_t kMaxBodies = 1'000;

void AddHeader(absl::string_view name, absl::string_view value,
               RateLimitResponse& out) {
  if (!IsSafeHeader(name, value)) return;
  auto& header = *out.add_response_headers_to_add();
  // The setters would make a string first.
  header.mutable_key()->assign(name.data(), name.size());
  header.mutable_value()->assign(value.data(), value.size());
}

void AddLimitHeaders(const AnswerSettings& settings, const Verdict& verdict,
                     RateLimitResponse& out) {
  const LimitStatus& leading = *verdict.leading;
  const std::string reset = absl::StrCat(ResetSeconds(leading));
  AddHeader(settings.limit_header, absl::StrCat(leading.policy->limit), out);
  AddHeader(settings.remaining_header, absl::StrCat(leading.remaining), out);
  AddHeader(settings.reset_header, reset, out);
  if (verdict.over_limit) AddHeader("Retry-After", reset, out);
}

// For the gateway and what is behind it: which model the request is to use.
void AddDegraded(const Verdict& verdict, RateLimitResponse& out) {
  const auto add = [&out](const std::string& name, absl::string_view value) {
    if (value.empty() || !IsSafeHeader(name, value)) return;
    auto& header = *out.add_request_headers_to_add();
    header.set_key(name);
    header.set_value(value.data(), value.size());
  };
  add(verdict.degraded->flag_header, "true");
  add(verdict.degraded->model_header, verdict.model);
  auto& fields = *out.mutable_dynamic_metadata()->mutable_fields();
  fields["degraded"].set_bool_value(true);
  if (!verdict.model.empty()) {
    fields["model"].set_string_value(std::string(verdict.model));
  }
}

void AddMetadata(const LimitStatus& leading, RateLimitResponse& out) {
  auto& fields = *out.mutable_dynamic_metadata()->mutable_fields();
  if (leading.rule != nullptr) {
    fields["rule"].set_string_value(leading.rule->path);
    if (!leading.rule->tier.empty()) {
      fields["tier"].set_string_value(leading.rule->tier);
    }
  }
  fields["limit"].set_number_value(static_cast<double>(leading.policy->limit));
  fields["remaining"].set_number_value(static_cast<double>(leading.remaining));
  fields["reset"].set_number_value(static_cast<double>(ResetSeconds(leading)));
}

std::string MakeBody(const std::string& message) {
  google::protobuf::Value value;
  value.set_string_value(message);
  std::string quoted;
  // Only text that is not UTF-8 can fail; a configuration cannot hold any.
  if (!google::protobuf::util::MessageToJsonString(value, &quoted).ok()) {
    quoted = "\"\"";
  }
  return absl::StrCat("{\"status\": 429, \"message\": ", quoted, "}");
}

// {"status": 429, "message": "..."}. Kept by message: they come from the
// configuration, are few, and a flood of refusals asks for the same one. Per
// thread, so that no lock is between the refusals of two cores.
const std::string& BodyOf(const std::string& message) {
  thread_local absl::flat_hash_map<std::string, std::string> bodies;
  const auto known = bodies.find(message);
  if (known != bodies.end()) return known->second;
  if (bodies.size() >= kMaxBodies) bodies.clear();
  return bodies[message] = MakeBody(message);
}

}  // namespace

bool IsSafeHeader(absl::string_view name, absl::string_view value) {
  constexpr absl::string_view kForbidden("\r\n\0", 3);
  return !name.empty() && name.find_first_of(kForbidden) == name.npos &&
         value.find_first_of(kForbidden) == value.npos;
}

VerdictWriter::VerdictWriter(AnswerSettings settings)
    : settings_(std::move(settings)) {}

void VerdictWriter::Write(const Verdict& verdict, std::string& bytes) const {
  // What every answer has is written by hand, at a third of the price of the
  // generated class; the rest follows by that, since the fields of a message
  // may come in any order.
  WireWriter(bytes).Number(RateLimitResponse::kOverallCodeFieldNumber,
                           verdict.over_limit ? RateLimitResponse::OVER_LIMIT
                                              : RateLimitResponse::OK);
  for (const LimitStatus& status : verdict.statuses) {
    WriteStatus(status, bytes);
  }
  const bool says_more = verdict.over_limit || verdict.degraded != nullptr ||
                         settings_.headers || settings_.dynamic_metadata;
  if (says_more) WriteRest(verdict, bytes);
}

void VerdictWriter::WriteRest(const Verdict& verdict,
                              std::string& bytes) const {
  // Kept per thread: a cleared message keeps the memory of its parts.
  thread_local RateLimitResponse response;
  response.Clear();
  if (verdict.degraded != nullptr) AddDegraded(verdict, response);
  const LimitStatus* leading = verdict.leading;
  if (leading != nullptr) {
    if (settings_.headers) AddLimitHeaders(settings_, verdict, response);
    if (settings_.dynamic_metadata) AddMetadata(*leading, response);
    if (verdict.over_limit && leading->rule != nullptr &&
        !leading->rule->message.empty()) {
      // On OK a content-type would be appended to the upstream's own.
      AddHeader("content-type", "application/json", response);
      response.set_raw_body(BodyOf(leading->rule->message));
    }
  }
  response.AppendToString(&bytes);
}

}  // namespace rls
