#include "rpc/write_status.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <utility>

#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "rpc/wire_writer.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;
using Unit = RateLimitResponse::RateLimit;

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

// One status, written straight into place: what is nested needs its length
// first.
class StatusWriter {
 public:
  using Status = RateLimitResponse::DescriptorStatus;

  explicit StatusWriter(const LimitStatus& status)
      : status_(status), has_limit_(status.policy != nullptr) {
    if (!has_limit_) return;
    if (status.rule != nullptr) name_ = status.rule->name;
    window_ = WindowOnTheWire(*status.policy);
    reset_ = static_cast<uint64_t>(ResetSeconds(status));
    multiplier_size_ =
        window_.multiplier == 1 ? 0 : SizeOfNumber(window_.multiplier);
    limit_size_ = (name_.empty() ? 0 : SizeOfBytes(name_.size())) +
                  SizeOfNumber(ToWire(status.policy->limit)) +
                  SizeOfNumber(static_cast<uint64_t>(window_.unit)) +
                  (multiplier_size_ == 0 ? 0 : SizeOfBytes(multiplier_size_));
  }

  // With its tag and its length.
  void AppendTo(std::string& bytes) const {
    const size_t size = Size();
    const size_t begin = bytes.size();
    bytes.resize(begin + SizeOfBytes(size));
    Write(size, WirePlace(reinterpret_cast<uint8_t*>(&bytes[begin])));
  }

 private:
  void Write(size_t size, WirePlace out) const {
    out.Open(RateLimitResponse::kStatusesFieldNumber, size);
    out.Number(Status::kCodeFieldNumber, CodeOf(status_));
    if (has_limit_) WriteLimit(out);
    if (has_limit_ || status_.unlimited) {
      out.Number(Status::kLimitRemainingFieldNumber, Remaining());
    }
    if (!has_limit_) return;
    out.Open(Status::kDurationUntilResetFieldNumber, SizeOfNumber(reset_));
    out.Number(google::protobuf::Duration::kSecondsFieldNumber, reset_);
  }

  // All fields here have numbers below 16, so each tag is a byte.
  static size_t SizeOfNumber(uint64_t value) {
    return 1 + google::protobuf::io::CodedOutputStream::VarintSize64(value);
  }
  static size_t SizeOfBytes(size_t size) { return SizeOfNumber(size) + size; }

  static uint64_t CodeOf(const LimitStatus& status) {
    return status.over_limit ? RateLimitResponse::OVER_LIMIT
                             : RateLimitResponse::OK;
  }

  uint64_t Remaining() const {
    return has_limit_ ? ToWire(status_.remaining) : UINT32_MAX;
  }

  size_t Size() const {
    size_t size = SizeOfNumber(CodeOf(status_));
    if (has_limit_ || status_.unlimited) size += SizeOfNumber(Remaining());
    if (!has_limit_) return size;
    return size + SizeOfBytes(limit_size_) + SizeOfBytes(SizeOfNumber(reset_));
  }

  void WriteLimit(WirePlace& out) const {
    out.Open(Status::kCurrentLimitFieldNumber, limit_size_);
    out.Number(Unit::kRequestsPerUnitFieldNumber,
               ToWire(status_.policy->limit));
    out.Number(Unit::kUnitFieldNumber, static_cast<uint64_t>(window_.unit));
    if (!name_.empty()) out.Bytes(Unit::kNameFieldNumber, name_);
    if (multiplier_size_ == 0) return;
    out.Open(Unit::kUnitMultiplierFieldNumber, multiplier_size_);
    out.Number(google::protobuf::UInt32Value::kValueFieldNumber,
               window_.multiplier);
  }

  const LimitStatus& status_;
  const bool has_limit_;
  absl::string_view name_;
  WireWindow window_;
  uint64_t reset_ = 0;
  size_t multiplier_size_ = 0;
  size_t limit_size_ = 0;
};

}  // namespace

void WriteStatus(const LimitStatus& status, std::string& bytes) {
  StatusWriter(status).AppendTo(bytes);
}

int64_t ResetSeconds(const LimitStatus& status) {
  const absl::Duration reset = status.reset == absl::InfiniteDuration()
                                   ? status.policy->window
                                   : status.reset;
  const int64_t seconds = absl::ToInt64Seconds(reset);
  return absl::Seconds(seconds) < reset ? seconds + 1 : seconds;
}

}  // namespace rls
