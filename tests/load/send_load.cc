#include "load/send_load.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>

#include "absl/strings/str_split.h"
#include "descriptor_arg.h"
#include "envoy/service/ratelimit/v3/rls.grpc.pb.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;
using envoy::service::ratelimit::v3::RateLimitResponse;
using envoy::service::ratelimit::v3::RateLimitService;
using Time = std::chrono::steady_clock::time_point;

// The longest time between two looks at `stop`.
constexpr std::chrono::milliseconds kStopInterval{20};
constexpr std::chrono::seconds kConnectTimeout{30};

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);
}

RateLimitRequest ReadLine(const std::string& line) {
  const std::vector<std::string> fields = absl::StrSplit(line, '\t');
  RateLimitRequest request;
  request.set_domain(fields[0]);
  for (size_t i = 1; i < fields.size(); ++i) {
    const auto entries = ParseDescriptor(fields[i]);
    if (!entries.ok()) Die(std::string(entries.status().message()));
    auto& descriptor = *request.add_descriptors();
    for (const auto& [key, value] : *entries) {
      auto& entry = *descriptor.add_entries();
      entry.set_key(key);
      entry.set_value(value);
    }
  }
  return request;
}

// Makes one call after another to one server.
struct Stream {
  size_t server = 0;
  RateLimitService::Stub* stub = nullptr;
  // Of the current call.
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<RateLimitResponse>> reader;
  RateLimitResponse response;
  grpc::Status status;
  Time start;
  uint64_t call = 0;
};

class LoadSender {
 public:
  LoadSender(const LoadSettings& settings, const std::atomic<bool>& stop)
      : settings_(settings), stop_(stop), streams_(settings.streams) {
    for (size_t i = 0; i < settings.servers.size() * settings.channels; ++i) {
      AddChannel(settings.servers[i % settings.servers.size()],
                 static_cast<int>(i));
    }
    for (size_t i = 0; i < streams_.size(); ++i) {
      streams_[i].server = i % settings.servers.size();
      streams_[i].stub = stubs_[i % stubs_.size()].get();
      idle_.push_back(&streams_[i]);
    }
  }

  std::vector<Record> Run() {
    next_call_ = std::chrono::steady_clock::now();
    while (!Done() || busy_ > 0) {
      const Time now = std::chrono::steady_clock::now();
      while (!resting_.empty() && resting_.front().first <= now) {
        idle_.push_back(resting_.front().second);
        resting_.pop_front();
      }
      if (!Done()) StartCalls(now);
      WaitForAnswer();
    }
    return std::move(records_);
  }

 private:
  void AddChannel(const std::string& address, int number) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt("load.channel", number);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    const auto channel = grpc::CreateCustomChannel(
        address, grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() +
                                   kConnectTimeout)) {
      Die("cannot reach " + address);
    }
    stubs_.push_back(RateLimitService::NewStub(channel));
  }

  bool Done() const {
    return stop_.load() || (settings_.calls > 0 && sent_ >= settings_.calls);
  }

  void StartCalls(Time now) {
    while (!idle_.empty() && !Done()) {
      if (settings_.rate > 0) {
        if (next_call_ > now) return;
        // A sender that is late does not send the missed calls in a burst.
        const std::chrono::duration<double> gap(1 / settings_.rate);
        next_call_ = std::max(
            now - kStopInterval,
            next_call_ + std::chrono::duration_cast<Time::duration>(gap));
      }
      Start(*idle_.front());
      idle_.pop_front();
    }
  }

  void Start(Stream& stream) {
    stream.call = sent_++;
    ++busy_;
    const RateLimitRequest request =
        ReadLine(settings_.plan[stream.call % settings_.plan.size()]);
    stream.context.emplace();
    stream.context->set_deadline(std::chrono::system_clock::now() +
                                 settings_.timeout);
    stream.start = std::chrono::steady_clock::now();
    stream.reader =
        stream.stub->AsyncShouldRateLimit(&*stream.context, request, &queue_);
    stream.reader->Finish(&stream.response, &stream.status, &stream);
  }

  void WaitForAnswer() {
    std::chrono::nanoseconds wait = kStopInterval;
    const Time now = std::chrono::steady_clock::now();
    if (settings_.rate > 0 && !idle_.empty() && !Done()) {
      wait = std::min<std::chrono::nanoseconds>(wait, next_call_ - now);
    }
    if (!resting_.empty()) {
      wait = std::min<std::chrono::nanoseconds>(wait,
                                                resting_.front().first - now);
    }
    void* tag = nullptr;
    bool ok = false;
    const auto until = std::chrono::system_clock::now() +
                       std::max(wait, std::chrono::nanoseconds(0));
    if (queue_.AsyncNext(&tag, &ok, until) ==
        grpc::CompletionQueue::GOT_EVENT) {
      End(*static_cast<Stream*>(tag));
    }
  }

  void End(Stream& stream) {
    --busy_;
    const Time now = std::chrono::steady_clock::now();
    Record& record = records_.emplace_back();
    record.start_ns =
        std::chrono::nanoseconds(stream.start.time_since_epoch()).count();
    record.latency_us = static_cast<uint32_t>(
        std::chrono::microseconds(
            std::chrono::duration_cast<std::chrono::microseconds>(now -
                                                                  stream.start))
            .count());
    record.line = static_cast<uint32_t>(stream.call % settings_.plan.size());
    record.code = static_cast<uint8_t>(stream.status.error_code());
    record.server = static_cast<uint8_t>(stream.server);
    if (stream.status.ok()) {
      record.overall = static_cast<uint8_t>(stream.response.overall_code());
      for (int i = 0; i < std::min(32, stream.response.statuses_size()); ++i) {
        if (stream.response.statuses(i).code() ==
            RateLimitResponse::OVER_LIMIT) {
          record.refused |= uint32_t{1} << i;
        }
      }
      idle_.push_back(&stream);
    } else {
      resting_.emplace_back(now + settings_.pause, &stream);
    }
  }

  const LoadSettings& settings_;
  const std::atomic<bool>& stop_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<RateLimitService::Stub>> stubs_;
  std::vector<Stream> streams_;
  std::deque<Stream*> idle_;
  std::deque<std::pair<Time, Stream*>> resting_;  // each until its time
  Time next_call_;
  uint64_t sent_ = 0;
  size_t busy_ = 0;
  std::vector<Record> records_;
};

}  // namespace

std::vector<Record> SendLoad(const LoadSettings& settings,
                             const std::atomic<bool>& stop) {
  return LoadSender(settings, stop).Run();
}

}  // namespace rls
