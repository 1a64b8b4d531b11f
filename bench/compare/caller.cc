#include "compare/caller.h"

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
// A first field that is a number: RateLimitResponse.overall_code.
constexpr char kOverallCodeTag = 1 << 3;
// How long no answer at all may come.
constexpr std::chrono::seconds kPatience{10};
constexpr int kLookMs = 100;
constexpr std::chrono::milliseconds kLate{1};

// Those of Envoy's rate limit filter.
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

int ShareOf(int count, int parts, int number) {
  return count / parts + (number < count % parts ? 1 : 0);
}

// Every server here writes the fields of its answer in their order, so the
// verdict is first; 0 when it is not there.
int OverallCode(absl::string_view reply) {
  constexpr size_t kCode = kPrefixBytes + 1;
  return reply.size() > kCode && reply[kPrefixBytes] == kOverallCodeTag
             ? reply[kCode]
             : 0;
}

}  // namespace

Caller::Caller(const LoadSettings& settings, int number)
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

void Caller::Greet() {
  now_ = last_answer_ = std::chrono::steady_clock::now();
  Send(*connections_.front(), now_);
  connections_.front()->Flush();
  while (in_flight_ > 0) WaitForEvents(kLookMs);
}

void Caller::Run(const Schedule& schedule) {
  schedule_ = schedule;
  running_ = true;
  now_ = last_answer_ = schedule.start;
  if (!open_loop()) FillStreams();
  bool sending = true;
  while (sending || in_flight_ > 0) {
    sending = open_loop() ? SendDue() : !stopped_;
    // Sleeping until the next call is due would make it late.
    WaitForEvents(open_loop() && sending ? 0 : kLookMs);
  }
}

void Caller::FillStreams() {
  for (const auto& connection : connections_) {
    for (int i = 0; i < settings_.streams; ++i) Send(*connection, now_);
    connection->Flush();
  }
}

// False: nothing will be due any more.
bool Caller::SendDue() {
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

ClientConnection* Caller::FreeConnection() {
  for (size_t tried = 0; tried < connections_.size(); ++tried) {
    ClientConnection& connection = *connections_[turn_];
    turn_ = (turn_ + 1) % connections_.size();
    if (connection.in_flight() < settings_.streams) return &connection;
  }
  return nullptr;
}

void Caller::Send(ClientConnection& connection, Time due) {
  if (spare_.empty()) spare_.push_back(&calls_.emplace_back());
  ClientCall& call = *spare_.back();
  spare_.pop_back();
  call.due = due;
  traffic_.WriteNext(call.request);
  connection.Send(call);
  ++in_flight_;
}

void Caller::WaitForEvents(int timeout_ms) {
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

void Caller::End(ClientConnection& connection, ClientCall& call) {
  --in_flight_;
  last_answer_ = now_;
  // Only this thread writes it.
  answered_.store(answered() + 1, std::memory_order_relaxed);
  if (Measures(call)) Judge(call);
  spare_.push_back(&call);
  if (running_ && !open_loop() && !stopped_) Send(connection, now_);
}

// A closed loop has no schedule of calls: what counts is when it answers.
bool Caller::Measures(const ClientCall& call) const {
  if (!running_) return false;
  if (!open_loop()) return now_ >= schedule_.from && !stopped_;
  return call.due >= schedule_.from && call.due < schedule_.until;
}

void Caller::Judge(const ClientCall& call) {
  answers_.latencies.Add(
      static_cast<uint64_t>(std::chrono::nanoseconds(now_ - call.due).count()));
  if (call.grpc_status != 0) {
    ++answers_.failed;
    return;
  }
  switch (OverallCode(call.reply)) {
    case RateLimitResponse::OK:
      ++answers_.ok;
      break;
    case RateLimitResponse::OVER_LIMIT:
      ++answers_.over_limit;
      break;
    default:
      ++answers_.other_code;
  }
  if (!limits_checked_) CheckLimits(call.reply);
}

void Caller::CheckLimits(absl::string_view reply) {
  limits_checked_ = true;
  RateLimitResponse response;
  reply.remove_prefix(kPrefixBytes);
  if (!response.ParseFromArray(reply.data(), static_cast<int>(reply.size())) ||
      response.statuses_size() != settings_.traffic.descriptors) {
    EndLoad("answer", "not a status for each descriptor");
  }
  for (const auto& status : response.statuses()) {
    if (!status.has_current_limit()) {
      EndLoad("answer", "no limit applies to what was asked");
    }
  }
}

}  // namespace rls
