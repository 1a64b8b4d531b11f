#include "compare/load_client.h"

#include <sys/epoll.h>

#include <array>
#include <string>

#include "absl/types/span.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitResponse;

constexpr size_t kReadBytes = size_t{256} << 10;
constexpr size_t kPrefixBytes = 5;
// The protobuf tag of RateLimitResponse.overall_code: field 1, varint.
constexpr char kOverallCodeTag = 1 << 3;
// The longest time without any answer.
constexpr std::chrono::seconds kPatience{10};
constexpr int kPollMs = 100;
constexpr std::chrono::milliseconds kLate{1};

// The request headers of Envoy's rate limit filter.
std::vector<nghttp2_nv> HeadersOf(const LoadSettings& settings) {
  std::vector<nghttp2_nv> headers = {
      ConstantField(":method", "POST"),
      ConstantField(
          ":path",
          "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"),
      ConstantField(":authority", "ratelimit"),
      ConstantField(":scheme", "http"),
      ConstantField("te", "trailers"),
      ConstantField("content-type", "application/grpc"),
      ConstantField("x-envoy-internal", "true"),
      ConstantField("x-forwarded-for", "10.0.0.1")};
  if (!settings.timeout.empty()) {
    headers.push_back(ConstantField("grpc-timeout", settings.timeout));
  }
  return headers;
}

int ShareOf(int count, int threads, int number) {
  return count / threads + (number < count % threads ? 1 : 0);
}

// All measured servers write the fields of an answer in ascending order, so
// overall_code comes first. 0: the answer has no overall_code.
int OverallCode(absl::string_view answer) {
  constexpr size_t kCode = kPrefixBytes + 1;
  return answer.size() > kCode && answer[kPrefixBytes] == kOverallCodeTag
             ? answer[kCode]
             : 0;
}

}  // namespace

LoadClient::LoadClient(const LoadSettings& settings, int number)
    : settings_(settings),
      traffic_(settings.traffic, settings.seed + static_cast<uint32_t>(number)),
      headers_(HeadersOf(settings)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      room_(kReadBytes),
      limits_checked_(!settings.want_limits) {
  const int count = ShareOf(settings.connections, settings.threads, number);
  for (int i = 0; i < count; ++i) {
    auto& place = connections_.emplace_back();
    place = std::make_unique<ClientConnection>(
        settings.port, epoll_.get(), headers_, [this, i](ClientCall& call) {
          End(*connections_[static_cast<size_t>(i)], call);
        });
  }
}

void LoadClient::Greet() {
  now_ = last_answer_ = std::chrono::steady_clock::now();
  Send(*connections_.front(), now_);
  connections_.front()->Flush();
  while (in_flight_ > 0) WaitForEvents(kPollMs);
}

void LoadClient::Run(const Schedule& schedule) {
  schedule_ = schedule;
  running_ = true;
  now_ = last_answer_ = schedule.start;
  if (!open_loop()) FillStreams();
  bool sending = true;
  while (sending || in_flight_ > 0) {
    sending = open_loop() ? SendDue() : !stopped_;
    // An open loop polls without sleep: a sleep until the next due time would
    // end too late.
    WaitForEvents(open_loop() && sending ? 0 : kPollMs);
  }
}

void LoadClient::FillStreams() {
  for (const auto& connection : connections_) {
    for (int i = 0; i < settings_.streams; ++i) Send(*connection, now_);
    connection->Flush();
  }
}

// False: no more calls will become due.
bool LoadClient::SendDue() {
  now_ = std::chrono::steady_clock::now();
  const std::chrono::duration<double> gap(settings_.threads / settings_.rate);
  for (;;) {
    const Time due =
        schedule_.start + std::chrono::duration_cast<Time::duration>(
                              gap * static_cast<double>(begun_));
    if (due >= schedule_.until) break;
    ClientConnection* const connection =
        due <= now_ ? FreeConnection() : nullptr;
    if (connection == nullptr) {
      for (const auto& each : connections_) each->Flush();
      return true;
    }
    Send(*connection, due);
    ++begun_;
    if (now_ - due >= kLate && due >= schedule_.from) ++answers_.sent_late;
  }
  for (const auto& each : connections_) each->Flush();
  return false;
}

ClientConnection* LoadClient::FreeConnection() {
  for (size_t tried = 0; tried < connections_.size(); ++tried) {
    ClientConnection& connection = *connections_[turn_];
    turn_ = (turn_ + 1) % connections_.size();
    if (connection.in_flight() < settings_.streams) return &connection;
  }
  return nullptr;
}

void LoadClient::Send(ClientConnection& connection, Time due) {
  if (spare_.empty()) spare_.push_back(&calls_.emplace_back());
  ClientCall& call = *spare_.back();
  spare_.pop_back();
  call.due = due;
  traffic_.WriteNext(call.request);
  connection.Send(call);
  ++in_flight_;
}

void LoadClient::WaitForEvents(int timeout_ms) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(),
                               static_cast<int>(events.size()), timeout_ms);
  now_ = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    static_cast<ClientConnection*>(events[static_cast<size_t>(i)].data.ptr)
        ->Proceed(absl::MakeSpan(room_));
    now_ = std::chrono::steady_clock::now();
  }
  if (now_ - last_answer_ > kPatience) EndLoad("wait", "no answer comes");
}

void LoadClient::End(ClientConnection& connection, ClientCall& call) {
  --in_flight_;
  last_answer_ = now_;
  // Only this thread writes answered_.
  answered_.store(answered() + 1, std::memory_order_relaxed);
  if (Measures(call)) Count(call);
  spare_.push_back(&call);
  if (running_ && !open_loop() && !stopped_) Send(connection, now_);
}

// An open loop measures the calls that are due in the measured time. A closed
// loop has no due times, so it measures the answers that arrive in that time.
bool LoadClient::Measures(const ClientCall& call) const {
  if (!running_) return false;
  if (!open_loop()) return now_ >= schedule_.from && !stopped_;
  return call.due >= schedule_.from && call.due < schedule_.until;
}

void LoadClient::Count(const ClientCall& call) {
  answers_.latencies.Add(
      static_cast<uint64_t>(std::chrono::nanoseconds(now_ - call.due).count()));
  if (call.grpc_status != 0) {
    ++answers_.failed;
    return;
  }
  switch (OverallCode(call.answer)) {
    case RateLimitResponse::OK:
      ++answers_.ok;
      break;
    case RateLimitResponse::OVER_LIMIT:
      ++answers_.over_limit;
      break;
    default:
      ++answers_.other_code;
  }
  if (!limits_checked_) CheckLimits(call.answer);
}

void LoadClient::CheckLimits(absl::string_view answer) {
  limits_checked_ = true;
  RateLimitResponse response;
  answer.remove_prefix(kPrefixBytes);
  if (!response.ParseFromArray(answer.data(),
                               static_cast<int>(answer.size())) ||
      response.statuses_size() != settings_.traffic.descriptors) {
    EndLoad("answer", "not a status for each descriptor");
  }
  for (const auto& status : response.statuses()) {
    if (!status.has_current_limit()) {
      EndLoad("answer", "no limit applies to a descriptor");
    }
  }
}

}  // namespace rls
