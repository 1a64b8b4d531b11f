#include "rpc/write_verdict.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/wire_writer.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;
using Unit = RateLimitResponse::RateLimit;

constexpr size_t kMaxBodies = 10'000;

struct WireWindow {
  Unit::Unit unit = Unit::SECOND;
  uint32_t multiplier = 1;
};

Unit::Unit UnitOf(Calendar calendar) {
  switch (calendar) {
    case Calendar::kHour:
      return Unit::HOUR;
    case Calendar::kWeek:
      return Unit::WEEK;
    case Calendar::kMonth:
      return Unit::MONTH;
    case Calendar::kYear:
      return Unit::YEAR;
    case Calendar::kNone:
    case Calendar::kDay:
      break;
  }
  return Unit::DAY;
}

// The largest unit that the window is a multiple of.
WireWindow WindowOnTheWire(const Policy& policy) {
  if (policy.calendar != Calendar::kNone) return {UnitOf(policy.calendar), 1};
  constexpr std::pair<int64_t, Unit::Unit> kUnits[] = {
      {365 * 86400, Unit::YEAR}, {30 * 86400, Unit::MONTH},
      {7 * 86400, Unit::WEEK},   {86400, Unit::DAY},
      {3600, Unit::HOUR},        {60, Unit::MINUTE}};
  const int64_t seconds = absl::ToInt64Seconds(policy.window);
  for (const auto& [length, unit] : kUnits) {
    if (seconds % length != 0) continue;
    return {unit, static_cast<uint32_t>(seconds / length)};
  }
  return {Unit::SECOND, static_cast<uint32_t>(seconds)};
}

uint32_t ToWire(int64_t amount) {
  return static_cast<uint32_t>(std::clamp<int64_t>(amount, 0, UINT32_MAX));
}

// Rounded up: Envoy rounds down, and a reset of 0.4 s must not print 0. What
// never resets is told as one window, the longest that makes sense to wait.
int64_t ResetSeconds(const LimitStatus& status) {
  const absl::Duration reset = status.reset == absl::InfiniteDuration()
                                   ? status.policy->window
                                   : status.reset;
  return absl::ToInt64Seconds(absl::Ceil(reset, absl::Seconds(1)));
}

// The nested messages of one answer, kept per thread for their memory.
struct Scratch {
  std::string status;
  std::string limit;
  std::string number;
};

void WriteLimit(const LimitStatus& status, Scratch& scratch) {
  scratch.limit.clear();
  WireWriter limit(scratch.limit);
  if (status.rule != nullptr && !status.rule->name.empty()) {
    limit.Bytes(Unit::kNameFieldNumber, status.rule->name);
  }
  limit.Number(Unit::kRequestsPerUnitFieldNumber, ToWire(status.policy->limit));
  const WireWindow window = WindowOnTheWire(*status.policy);
  limit.Number(Unit::kUnitFieldNumber, window.unit);
  if (window.multiplier == 1) return;
  scratch.number.clear();
  WireWriter(scratch.number)
      .Number(google::protobuf::UInt32Value::kValueFieldNumber,
              window.multiplier);
  limit.Bytes(Unit::kUnitMultiplierFieldNumber, scratch.number);
}

void WriteStatus(const LimitStatus& status, Scratch& scratch) {
  using Status = RateLimitResponse::DescriptorStatus;
  scratch.status.clear();
  WireWriter out(scratch.status);
  out.Number(Status::kCodeFieldNumber, status.over_limit
                                           ? RateLimitResponse::OVER_LIMIT
                                           : RateLimitResponse::OK);
  if (status.unlimited) {
    out.Number(Status::kLimitRemainingFieldNumber, UINT32_MAX);
  }
  if (status.policy == nullptr) return;
  WriteLimit(status, scratch);
  out.Bytes(Status::kCurrentLimitFieldNumber, scratch.limit);
  out.Number(Status::kLimitRemainingFieldNumber, ToWire(status.remaining));
  scratch.number.clear();
  WireWriter(scratch.number)
      .Number(google::protobuf::Duration::kSecondsFieldNumber,
              static_cast<uint64_t>(ResetSeconds(status)));
  out.Bytes(Status::kDurationUntilResetFieldNumber, scratch.number);
}

void AddHeader(absl::string_view name, absl::string_view value,
               RateLimitResponse& out) {
  if (!IsSafeHeader(name, value)) return;
  auto& header = *out.add_response_headers_to_add();
  header.set_key(name.data(), name.size());
  header.set_value(value.data(), value.size());
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

}  // namespace

bool IsSafeHeader(absl::string_view name, absl::string_view value) {
  constexpr absl::string_view kForbidden("\r\n\0", 3);
  return !name.empty() && name.find_first_of(kForbidden) == name.npos &&
         value.find_first_of(kForbidden) == value.npos;
}

VerdictWriter::VerdictWriter(AnswerSettings settings)
    : settings_(std::move(settings)) {}

std::string VerdictWriter::Write(const Verdict& verdict) {
  // What every answer has is written by hand, at a third of the price of the
  // generated class; the rest follows by that, since the fields of a message
  // may come in any order.
  thread_local Scratch scratch;
  std::string bytes;
  WireWriter out(bytes);
  out.Number(RateLimitResponse::kOverallCodeFieldNumber,
             verdict.over_limit ? RateLimitResponse::OVER_LIMIT
                                : RateLimitResponse::OK);
  for (const LimitStatus& status : verdict.statuses) {
    WriteStatus(status, scratch);
    out.Bytes(RateLimitResponse::kStatusesFieldNumber, scratch.status);
  }
  const bool says_more = verdict.over_limit || verdict.degraded != nullptr ||
                         settings_.headers || settings_.dynamic_metadata;
  if (says_more) WriteRest(verdict, bytes);
  return bytes;
}

void VerdictWriter::WriteRest(const Verdict& verdict, std::string& bytes) {
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

std::string VerdictWriter::BodyOf(const std::string& message) {
  {
    ReaderMutexLock lock(&mutex_);
    const auto it = bodies_.find(message);
    if (it != bodies_.end()) return it->second;
  }
  std::string body = MakeBody(message);
  MutexLock lock(&mutex_);
  if (bodies_.size() >= kMaxBodies) bodies_.clear();
  bodies_[message] = body;
  return body;
}

}  // namespace rls
