#include "xds/xds_client.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <semaphore>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/text.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "xds/resource_table.h"
#include "xds/xds_channel.h"
#include "xds/xds_protocol.h"

namespace rls {
namespace {

using envoy::config::core::v3::Node;
using envoy::service::discovery::v3::AggregatedDiscoveryService;

// Of each kind of line in the log.
constexpr int kLinesAMinute = 5;

class XdsMetrics {
 public:
  explicit XdsMetrics(Metrics& metrics)
      : connected(metrics.GetGauge(
            {"ratelimitd_xds_connected",
             "1 while a stream to the configuration server is open"})),
        resources(metrics.GetGauge({"ratelimitd_xds_domains",
                                    "domains from the configuration server"})),
        bad(metrics.GetGauge(
            {"ratelimitd_xds_errors",
             "errors in the last response of the configuration server"})),
        streams(metrics.GetCounter(
            {"ratelimitd_xds_streams_total",
             "attempts to open a stream to the configuration server"})),
        accepted(Responses(metrics, "accepted")),
        refused(Responses(metrics, "refused")),
        ignored(Responses(metrics, "ignored")) {}

  Gauge& connected;
  Gauge& resources;
  Gauge& bad;
  Counter& streams;
  Counter& accepted;
  Counter& refused;
  Counter& ignored;  // of another type

 private:
  static Counter& Responses(Metrics& metrics, const char* result) {
    return metrics.GetCounter({"ratelimitd_xds_responses_total",
                               "responses of the configuration server",
                               {{"result", result}}});
  }
};

// Doubles from `initial` to `max`.
class Doubling {
 public:
  Doubling(absl::Duration initial, absl::Duration max)
      : initial_(initial), max_(max), next_(initial) {}

  void Reset() { next_ = initial_; }
  absl::Duration Next() {
    const absl::Duration now = std::min(next_, max_);
    next_ = std::min(next_ * 2, max_);
    return now;
  }

 private:
  const absl::Duration initial_;
  const absl::Duration max_;
  absl::Duration next_;
};

template <typename Protocol>
class XdsClientImpl final : public XdsClient {
 public:
  using Request = typename Protocol::Request;
  using Response = typename Protocol::Response;

  XdsClientImpl(const XdsOptions& options, XdsCallback callback,
                Metrics& metrics, const Clock& clock)
      : options_(options),
        callback_(std::move(callback)),
        metrics_(metrics),
        clock_(clock),
        channels_(options_, clock),
        stream_log_(clock, absl::Minutes(1), kLinesAMinute),
        update_log_(clock, absl::Minutes(1), kLinesAMinute),
        refusal_log_(clock, absl::Minutes(1), kLinesAMinute),
        backoff_(options.backoff_initial, options.backoff_max),
        hold_(kFirstXdsHold, kMaxXdsHold),
        thread_([this] { Run(); }) {}

  ~XdsClientImpl() override {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      if (context_ != nullptr) context_->TryCancel();
    }
    stop_.release();
    thread_.join();
  }

 private:
  void Run() {
    while (!stopping_) {
      metrics_.streams.Add(1);
      opened_.reset();
      const grpc::Status end = RunStream();
      metrics_.connected.Set(0);
      if (stopping_) return;
      if (opened_.has_value() &&
          clock_.Elapsed() - *opened_ >= kSteadyXdsStream) {
        backoff_.Reset();
      }
      stream_log_.Warn(absl::StrCat(
          "xds: the stream to ", options_.server, " has ended: ",
          end.ok() ? "the server closed it" : end.error_message(),
          "; the rules stay in force, and the client tries again"));
      Wait(Jitter(backoff_.Next()));
    }
  }

  absl::Duration Jitter(absl::Duration wait) {
    std::uniform_real_distribution<double> factor(
        1 - options_.backoff_random_factor, 1);
    return wait * factor(random_);
  }

  // Returns the status of the stream when it has ended.
  grpc::Status RunStream() {
    const auto channel = channels_.New();
    if (!channel.ok()) {
      return {grpc::StatusCode::UNAVAILABLE,
              std::string(channel.status().message())};
    }
    const auto stub = AggregatedDiscoveryService::NewStub(*channel);
    grpc::ClientContext context;
    for (const auto& [name, value] : options_.headers) {
      context.AddMetadata(absl::AsciiStrToLower(name), value);
    }
    {
      MutexLock lock(&mutex_);
      if (stopping_) return grpc::Status::CANCELLED;
      context_ = &context;
    }
    const auto stream = Open(*stub, context, protocol_);
    Exchange(*stream);
    grpc::Status end = stream->Finish();
    MutexLock lock(&mutex_);
    context_ = nullptr;
    return end;
  }

  static auto Open(AggregatedDiscoveryService::Stub& stub,
                   grpc::ClientContext& context, const SotwXds&) {
    return stub.StreamAggregatedResources(&context);
  }
  static auto Open(AggregatedDiscoveryService::Stub& stub,
                   grpc::ClientContext& context, const DeltaXds&) {
    return stub.DeltaAggregatedResources(&context);
  }

  template <typename Stream>
  void Exchange(Stream& stream) {
    Request first = protocol_.First();
    first.set_type_url(kXdsTypeUrl);
    SetNode(*first.mutable_node());
    if (!stream.Write(first)) return;
    opened_ = clock_.Elapsed();
    metrics_.connected.Set(1);
    Response response;
    bool open = true;
    // A stream that cannot be written to has ended, but responses may be left
    // in it. They must be read before its status can be.
    while (stream.Read(&response)) {
      if (!open) continue;
      if (response.type_url() != kXdsTypeUrl) {
        metrics_.ignored.Add(1);
        refusal_log_.Warn(absl::StrCat("xds: ignored a response of type ",
                                       Quoted(response.type_url())));
        continue;
      }
      open = stream.Write(Take(response));
    }
  }

  void SetNode(Node& node) const {
    node.set_id(options_.node_id);
    node.set_user_agent_name("ratelimitd");
    auto& fields = *node.mutable_metadata()->mutable_fields();
    for (const auto& [key, value] : options_.node_metadata) {
      fields[key].set_string_value(value);
    }
  }

  // Puts the response in force. Returns the answer to it.
  Request Take(const Response& response) {
    std::vector<XdsError> errors = protocol_.Apply(response, table_);
    Request answer = protocol_.Answer(response, errors);
    answer.set_type_url(kXdsTypeUrl);
    (errors.empty() ? metrics_.accepted : metrics_.refused).Add(1);
    metrics_.bad.Set(static_cast<double>(errors.size()));
    XdsSnapshot next{Protocol::VersionOf(response), table_.Domains(),
                     std::move(errors)};
    metrics_.resources.Set(static_cast<double>(next.domains.size()));
    if (last_.has_value() && IsSame(*last_, next)) {
      Wait(hold_.Next());
      return answer;
    }
    hold_.Reset();
    LogSnapshot(next);
    callback_(next);
    last_ = std::move(next);
    return answer;
  }

  static bool IsSame(const XdsSnapshot& a, const XdsSnapshot& b) {
    return a.version == b.version && a.errors == b.errors &&
           std::equal(a.domains.begin(), a.domains.end(), b.domains.begin(),
                      b.domains.end(),
                      [](const XdsDomain& one, const XdsDomain& other) {
                        return one.spec == other.spec;
                      });
  }

  void LogSnapshot(const XdsSnapshot& next) {
    if (next.errors.empty()) {
      update_log_.Info(absl::StrCat("xds: version ", Quoted(next.version),
                                    " with ", next.domains.size(), " domains"));
    } else {
      refusal_log_.Warn(
          absl::StrCat("xds: refused version ", Quoted(next.version), ": ",
                       XdsErrorText(next.errors),
                       "; bad resources keep their last good rules"));
    }
  }

  // Returns early if the client must stop.
  void Wait(absl::Duration time) {
    if (stop_.try_acquire_for(absl::ToChronoNanoseconds(time))) {
      stop_.release();  // for the next Wait()
    }
  }

  const XdsOptions options_;
  const XdsCallback callback_;
  XdsMetrics metrics_;
  const Clock& clock_;

  std::binary_semaphore stop_{0};
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;

  // Only the thread uses these.
  XdsChannels channels_;
  LogThrottle stream_log_;
  LogThrottle update_log_;
  LogThrottle refusal_log_;
  Doubling backoff_;
  Doubling hold_;
  std::mt19937_64 random_{std::random_device()()};
  Protocol protocol_;
  ResourceTable table_;
  std::optional<XdsSnapshot> last_;
  std::optional<absl::Duration> opened_;  // when the stream was opened

  std::thread thread_;
};

// gRPC ends the process if a stream has an invalid header.
bool IsHeader(const std::pair<std::string, std::string>& header) {
  return IsHeaderName(header.first) &&
         std::all_of(header.second.begin(), header.second.end(), [](char c) {
           return absl::ascii_isprint(static_cast<unsigned char>(c));
         });
}

absl::Status Check(const XdsOptions& options) {
  if (options.server.empty()) {
    return absl::InvalidArgumentError("xds: no address of a server");
  }
  for (const auto& header : options.headers) {
    if (IsHeader(header)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("xds: not a header: ", Quoted(header.first)));
  }
  bool is_text = IsUtf8(options.node_id);
  for (const auto& [key, value] : options.node_metadata) {
    is_text = is_text && IsUtf8(key) && IsUtf8(value);
  }
  if (!is_text) {
    return absl::InvalidArgumentError(
        "xds: the node's id and metadata must be UTF-8");
  }
  if (options.max_response_bytes == 0 ||
      options.max_response_bytes > INT32_MAX) {
    return absl::InvalidArgumentError(
        "xds: the size of a response must be from 1 byte to 2 GiB");
  }
  if (options.backoff_initial <= absl::ZeroDuration() ||
      options.backoff_max < options.backoff_initial ||
      !(options.backoff_random_factor >= 0 &&
        options.backoff_random_factor <= 1)) {
    return absl::InvalidArgumentError(
        "xds: the backoff needs 0 < initial <= maximum, and a random factor "
        "from 0 to 1");
  }
  return absl::OkStatus();
}

}  // namespace

std::string XdsError::ToString() const {
  if (resource.empty())
    return absl::StrCat("a resource without a name: ", text);
  return absl::StrCat("resource ", Quoted(resource), ": ", text);
}

absl::StatusOr<std::unique_ptr<XdsClient>> NewXdsClient(
    const XdsOptions& options, XdsCallback callback, Metrics& metrics,
    const Clock& clock) {
  if (absl::Status checked = Check(options); !checked.ok()) return checked;
  if (options.protocol == XdsProtocol::kDelta) {
    return std::make_unique<XdsClientImpl<DeltaXds>>(
        options, std::move(callback), metrics, clock);
  }
  return std::make_unique<XdsClientImpl<SotwXds>>(options, std::move(callback),
                                                  metrics, clock);
}

}  // namespace rls
