#include "rpc/write_verdict.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/dynamic_metadata.h"
#include "rpc/wire.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;
using Unit = RateLimitResponse::RateLimit;

constexpr size_t kMaxBodies = 1'000;  // cached per thread

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

// In the largest unit that divides the window.
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

// For a status with a limit. Rounds up: Envoy rounds down, and a reset in 0.4 s
// must not show as 0.
int64_t ResetSeconds(const LimitStatus& status) {
  const int64_t seconds = absl::ToInt64Seconds(status.reset);
  return absl::Seconds(seconds) < status.reset ? seconds + 1 : seconds;
}

// For a refused request. The leading status may reset before another one.
int64_t RetrySeconds(const Verdict& verdict) {
  int64_t seconds = ResetSeconds(*verdict.leading);
  for (const LimitStatus& status : verdict.statuses) {
    if (!status.over_limit || status.policy == nullptr) continue;
    seconds = std::max(seconds, ResetSeconds(status));
  }
  return seconds;
}

// The values of a DescriptorStatus.
struct WireStatus {
  explicit WireStatus(const LimitStatus& status)
      : code(status.over_limit ? RateLimitResponse::OVER_LIMIT
                               : RateLimitResponse::OK),
        has_limit(status.policy != nullptr),
        has_remaining(has_limit || status.unlimited) {
    if (!has_limit) return;
    if (status.rule != nullptr) name = status.rule->name;
    limit = ToWire(status.policy->limit);
    window = WindowOnTheWire(*status.policy);
    remaining = ToWire(status.remaining);
    reset_seconds = ResetSeconds(status);
  }

  const RateLimitResponse::Code code;
  const bool has_limit;
  const bool has_remaining;
  absl::string_view name;  // of the limit; may be empty
  uint32_t limit = 0;
  WireWindow window;
  uint32_t remaining = UINT32_MAX;  // of an unlimited descriptor
  int64_t reset_seconds = 0;
};

// Writes one DescriptorStatus directly into the output. The length of a nested
// message precedes its fields, so the constructor computes the lengths.
class StatusWriter {
 public:
  explicit StatusWriter(const WireStatus& status) : status_(status) {
    if (!status.has_limit) return;
    reset_ = static_cast<uint64_t>(status.reset_seconds);
    multiplier_size_ = status.window.multiplier == 1
                           ? 0
                           : SizeOfNumber(status.window.multiplier);
    limit_size_ = (status.name.empty() ? 0 : SizeOfBytes(status.name.size())) +
                  SizeOfNumber(status.limit) +
                  SizeOfNumber(static_cast<uint64_t>(status.window.unit)) +
                  (multiplier_size_ == 0 ? 0 : SizeOfBytes(multiplier_size_));
  }

  // Appends the status with its tag and its length.
  void AppendTo(std::string& bytes) const {
    const size_t size = Size();
    const size_t begin = bytes.size();
    bytes.resize(begin + SizeOfBytes(size));
    Write(size, WirePlace(reinterpret_cast<uint8_t*>(&bytes[begin])));
  }

 private:
  using Status = RateLimitResponse::DescriptorStatus;

  void Write(size_t size, WirePlace out) const {
    out.Open(RateLimitResponse::kStatusesFieldNumber, size);
    out.Number(Status::kCodeFieldNumber, status_.code);
    if (status_.has_limit) WriteLimit(out);
    if (status_.has_remaining) {
      out.Number(Status::kLimitRemainingFieldNumber, status_.remaining);
    }
    if (!status_.has_limit) return;
    out.Open(Status::kDurationUntilResetFieldNumber, SizeOfNumber(reset_));
    out.Number(google::protobuf::Duration::kSecondsFieldNumber, reset_);
  }

  // The numbers of all fields here are below 16, so each tag is one byte.
  static size_t SizeOfNumber(uint64_t value) {
    return 1 + google::protobuf::io::CodedOutputStream::VarintSize64(value);
  }
  static size_t SizeOfBytes(size_t size) { return SizeOfNumber(size) + size; }

  size_t Size() const {
    size_t size = SizeOfNumber(status_.code);
    if (status_.has_remaining) size += SizeOfNumber(status_.remaining);
    if (!status_.has_limit) return size;
    return size + SizeOfBytes(limit_size_) + SizeOfBytes(SizeOfNumber(reset_));
  }

  void WriteLimit(WirePlace& out) const {
    out.Open(Status::kCurrentLimitFieldNumber, limit_size_);
    out.Number(Unit::kRequestsPerUnitFieldNumber, status_.limit);
    out.Number(Unit::kUnitFieldNumber,
               static_cast<uint64_t>(status_.window.unit));
    if (!status_.name.empty()) out.Bytes(Unit::kNameFieldNumber, status_.name);
    if (multiplier_size_ == 0) return;
    out.Open(Unit::kUnitMultiplierFieldNumber, multiplier_size_);
    out.Number(google::protobuf::UInt32Value::kValueFieldNumber,
               status_.window.multiplier);
  }

  const WireStatus& status_;
  uint64_t reset_ = 0;
  size_t multiplier_size_ = 0;
  size_t limit_size_ = 0;
};

void FillStatus(const WireStatus& status,
                RateLimitResponse::DescriptorStatus& out) {
  out.set_code(status.code);
  if (status.has_remaining) out.set_limit_remaining(status.remaining);
  if (!status.has_limit) return;
  Unit& limit = *out.mutable_current_limit();
  limit.set_requests_per_unit(status.limit);
  limit.set_unit(status.window.unit);
  limit.set_name(status.name.data(), status.name.size());
  if (status.window.multiplier != 1) {
    limit.mutable_unit_multiplier()->set_value(status.window.multiplier);
  }
  out.mutable_duration_until_reset()->set_seconds(status.reset_seconds);
}

void AddLimitHeaders(const AnswerSettings& settings, const Verdict& verdict,
                     HeaderSink add) {
  const LimitStatus& leading = *verdict.leading;
  add(settings.limit_header, absl::StrCat(leading.policy->limit));
  add(settings.remaining_header, absl::StrCat(leading.remaining));
  add(settings.reset_header, absl::StrCat(ResetSeconds(leading)));
  if (!verdict.over_limit) return;
  add("Retry-After", absl::StrCat(RetrySeconds(verdict)));
}

void AddDegradedMetadata(const Verdict& verdict, RateLimitResponse& out) {
  auto& fields = *out.mutable_dynamic_metadata()->mutable_fields();
  fields["degraded"].set_bool_value(true);
  if (!verdict.model.empty()) {
    fields["model"].set_string_value(std::string(verdict.model));
  }
}

void AddLimitMetadata(const LimitStatus& leading, RateLimitResponse& out) {
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

// Returns a sink that appends to a repeated field of HeaderValue.
template <typename Headers>
auto SinkInto(Headers& headers) {
  return [&headers](absl::string_view name, absl::string_view value) {
    auto& header = *headers.Add();
    // The setters would allocate a temporary string.
    header.mutable_key()->assign(name.data(), name.size());
    header.mutable_value()->assign(value.data(), value.size());
  };
}

bool HasOptionalFields(const AnswerSettings& settings, const Verdict& verdict) {
  return verdict.over_limit || verdict.degraded != nullptr ||
         settings.headers || settings.dynamic_metadata;
}

// Fills all fields except overall_code and statuses.
void FillOptionalFields(const AnswerSettings& settings, const Verdict& verdict,
                        RateLimitResponse& out) {
  AddUpstreamHeaders(verdict, SinkInto(*out.mutable_request_headers_to_add()));
  AddClientHeaders(settings, verdict,
                   SinkInto(*out.mutable_response_headers_to_add()));
  const absl::string_view body = RefusalBody(verdict);
  if (!body.empty()) out.mutable_raw_body()->assign(body.data(), body.size());
  if (verdict.degraded != nullptr) AddDegradedMetadata(verdict, out);
  if (!settings.dynamic_metadata) return;
  if (verdict.leading != nullptr) AddLimitMetadata(*verdict.leading, out);
  AddRequestMetadata(verdict, *out.mutable_dynamic_metadata());
}

// The message of a refusal's body; null if the answer has no body.
const std::string* MessageOf(const Verdict& verdict) {
  const LimitStatus* leading = verdict.leading;
  const bool has_message = verdict.over_limit && leading != nullptr &&
                           leading->over_limit && leading->rule != nullptr &&
                           !leading->rule->message.empty();
  return has_message ? &leading->rule->message : nullptr;
}

std::string MakeBody(const std::string& message) {
  google::protobuf::Value value;
  value.set_string_value(message);
  std::string quoted;
  // Fails only if the text is not UTF-8, which a configuration cannot contain.
  if (!google::protobuf::util::MessageToJsonString(value, &quoted).ok()) {
    quoted = "\"\"";
  }
  return absl::StrCat("{\"status\": 429, \"message\": ", quoted, "}");
}

}  // namespace

void WriteVerdict(const AnswerSettings& settings, const Verdict& verdict,
                  std::string& bytes) {
  // The fields of every answer are written by hand, at a third of the cost of
  // the generated class. The generated class appends the optional fields: the
  // fields of a message may come in any order.
  WireWriter(bytes).Number(RateLimitResponse::kOverallCodeFieldNumber,
                           verdict.over_limit ? RateLimitResponse::OVER_LIMIT
                                              : RateLimitResponse::OK);
  for (const LimitStatus& status : verdict.statuses) {
    StatusWriter(WireStatus(status)).AppendTo(bytes);
  }
  if (!HasOptionalFields(settings, verdict)) return;
  // One message per thread: Clear() keeps the memory of nested messages.
  thread_local RateLimitResponse response;
  response.Clear();
  FillOptionalFields(settings, verdict, response);
  response.AppendToString(&bytes);
}

void WriteVerdict(const AnswerSettings& settings, const Verdict& verdict,
                  RateLimitResponse& message) {
  message.Clear();
  message.set_overall_code(verdict.over_limit ? RateLimitResponse::OVER_LIMIT
                                              : RateLimitResponse::OK);
  for (const LimitStatus& status : verdict.statuses) {
    FillStatus(WireStatus(status), *message.add_statuses());
  }
  FillOptionalFields(settings, verdict, message);
}

void AddClientHeaders(const AnswerSettings& settings, const Verdict& verdict,
                      HeaderSink add) {
  const auto add_safe = [add](absl::string_view name, absl::string_view value) {
    if (IsSafeHeader(name, value)) add(name, value);
  };
  if (settings.headers && verdict.leading != nullptr) {
    AddLimitHeaders(settings, verdict, add_safe);
  }
  // Only with the body of a refusal: on OK, Envoy would append the header to
  // the content-type of the upstream.
  if (MessageOf(verdict) != nullptr) add("content-type", "application/json");
}

void AddUpstreamHeaders(const Verdict& verdict, HeaderSink add) {
  if (verdict.degraded == nullptr) return;
  const auto add_safe = [add](absl::string_view name, absl::string_view value) {
    if (!value.empty() && IsSafeHeader(name, value)) add(name, value);
  };
  add_safe(verdict.degraded->flag_header, "true");
  add_safe(verdict.degraded->model_header, verdict.model);
}

absl::string_view RefusalBody(const Verdict& verdict) {
  const std::string* message = MessageOf(verdict);
  if (message == nullptr) return "";
  // Cached by message. The messages come from the configuration and are few,
  // and a flood of refusals needs the same one. The cache is per thread, so
  // refusals on two cores share no lock.
  thread_local absl::flat_hash_map<std::string, std::string> bodies;
  const auto known = bodies.find(*message);
  if (known != bodies.end()) return known->second;
  if (bodies.size() >= kMaxBodies) bodies.clear();
  return bodies[*message] = MakeBody(*message);
}

std::string OverrideText(const Policy& policy) {
  const WireWindow window = WindowOnTheWire(policy);
  const std::string number =
      policy.limit == 0 ? ""
                        : absl::StrCat("requests_per_unit:", policy.limit, " ");
  const std::string multiplier =
      window.multiplier == 1
          ? ""
          : absl::StrCat(" unit_multiplier:{value:", window.multiplier, "}");
  return absl::StrCat(number, "unit:", Unit::Unit_Name(window.unit),
                      multiplier);
}

bool IsSafeHeader(absl::string_view name, absl::string_view value) {
  constexpr absl::string_view kForbidden("\r\n\0", 3);
  return !name.empty() && name.find_first_of(kForbidden) == name.npos &&
         value.find_first_of(kForbidden) == value.npos;
}

}  // namespace rls
