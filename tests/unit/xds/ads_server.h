#ifndef RLS_TESTS_UNIT_XDS_ADS_SERVER_H_
#define RLS_TESTS_UNIT_XDS_ADS_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "ratelimit/config/ratelimit/v3/rls_conf.pb.h"

namespace rls {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using ratelimit::config::ratelimit::v3::RateLimitConfig;

inline constexpr char kRateLimitType[] =
    "type.googleapis.com/ratelimit.config.ratelimit.v3.RateLimitConfig";

// A resource with one limit of `limit` a minute for the key "user".
RateLimitConfig OneLimit(const std::string& name, const std::string& domain,
                         int limit);

// The same resource with a unit that does not exist.
RateLimitConfig BadUnit(const std::string& name, const std::string& domain);

google::protobuf::Any Pack(const RateLimitConfig& config);

// A server of configuration that answers as the snapshot cache of
// go-control-plane: a request is answered if its version is not the current
// version, and a new stream also if there are resources. A refusal is therefore
// answered at once.
class AdsServer final : public envoy::service::discovery::v3::
                            AggregatedDiscoveryService::Service {
 public:
  // Port 0: any free port.
  explicit AdsServer(int port = 0,
                     const std::shared_ptr<grpc::ServerCredentials>&
                         credentials = grpc::InsecureServerCredentials());
  ~AdsServer() override;

  int port() const { return port_; }
  std::string address() const;

  // Sets the current state and sends it. Before the first call the server is
  // silent.
  void Set(const std::string& version,
           const std::vector<RateLimitConfig>& resources);
  void SetResponse(DiscoveryResponse response);
  // For delta: sends the difference. The version of a resource is a hash.
  void SetDelta(const std::vector<RateLimitConfig>& resources);

  void CloseStreams();
  // Ends each new stream at once.
  void RefuseStreams();

  size_t streams() const;
  size_t responses() const;
  // In their order, over all streams.
  std::vector<DiscoveryRequest> requests() const;
  std::vector<DeltaDiscoveryRequest> delta_requests() const;
  // The value of this header of the last stream.
  std::string header(const std::string& name) const;

  grpc::Status StreamAggregatedResources(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<DiscoveryResponse, DiscoveryRequest>* stream)
      override;
  grpc::Status DeltaAggregatedResources(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<DeltaDiscoveryResponse, DeltaDiscoveryRequest>*
          stream) override;

 private:
  template <typename Request, typename Response>
  grpc::Status Serve(
      grpc::ServerContext& context,
      grpc::ServerReaderWriter<Response, Request>& stream,
      std::vector<Request>& log,
      const std::function<std::optional<Response>(const Request&)>& answer);

  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<DiscoveryResponse> state_;
  std::optional<std::map<std::string, RateLimitConfig>> delta_state_;
  std::vector<DiscoveryRequest> requests_;
  std::vector<DeltaDiscoveryRequest> delta_requests_;
  std::multimap<std::string, std::string> headers_;
  size_t streams_ = 0;
  size_t responses_ = 0;
  int generation_ = 0;  // CloseStreams() ends the streams of earlier ones
  bool refuse_ = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_XDS_ADS_SERVER_H_
