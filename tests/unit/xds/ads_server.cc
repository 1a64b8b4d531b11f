#include "unit/xds/ads_server.h"

#include <gtest/gtest.h>

#include <climits>
#include <thread>

namespace rls {

RateLimitConfig OneLimit(const std::string& name, const std::string& domain,
                         int limit) {
  RateLimitConfig config;
  config.set_name(name);
  config.set_domain(domain);
  auto& descriptor = *config.add_descriptors();
  descriptor.set_key("user");
  auto& policy = *descriptor.mutable_rate_limit();
  policy.set_unit(ratelimit::config::ratelimit::v3::MINUTE);
  policy.set_requests_per_unit(limit);
  return config;
}

RateLimitConfig BadUnit(const std::string& name, const std::string& domain) {
  RateLimitConfig config = OneLimit(name, domain, 1);
  config.mutable_descriptors(0)->mutable_rate_limit()->clear_unit();
  return config;
}

google::protobuf::Any Pack(const RateLimitConfig& config) {
  google::protobuf::Any any;
  any.PackFrom(config);
  return any;
}

AdsServer::AdsServer(
    int port, const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), credentials,
                           &port_);
  builder.SetMaxSendMessageSize(INT_MAX);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  EXPECT_NE(server_, nullptr);
}

AdsServer::~AdsServer() {
  RefuseStreams();  // of a client that comes back meanwhile
  CloseStreams();
  server_->Shutdown();
}

std::string AdsServer::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

void AdsServer::Set(const std::string& version,
                    const std::vector<RateLimitConfig>& resources) {
  DiscoveryResponse response;
  response.set_version_info(version);
  response.set_type_url(kRateLimitType);
  for (const RateLimitConfig& config : resources) {
    *response.add_resources() = Pack(config);
  }
  SetResponse(std::move(response));
}

void AdsServer::SetResponse(DiscoveryResponse response) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(response);
  changed_.notify_all();
}

void AdsServer::SetDelta(const std::vector<RateLimitConfig>& resources) {
  const std::lock_guard lock(mutex_);
  delta_state_.emplace();
  for (const RateLimitConfig& config : resources) {
    delta_state_->emplace(config.name(), config);
  }
  changed_.notify_all();
}

void AdsServer::CloseStreams() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  changed_.notify_all();
}

void AdsServer::RefuseStreams() {
  const std::lock_guard lock(mutex_);
  refuse_ = true;
}

size_t AdsServer::streams() const {
  const std::lock_guard lock(mutex_);
  return streams_;
}

size_t AdsServer::responses() const {
  const std::lock_guard lock(mutex_);
  return responses_;
}

std::vector<DiscoveryRequest> AdsServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<DeltaDiscoveryRequest> AdsServer::delta_requests() const {
  const std::lock_guard lock(mutex_);
  return delta_requests_;
}

std::string AdsServer::header(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = headers_.find(name);
  return found == headers_.end() ? "" : found->second;
}

// One thread reads requests, the thread of the call sends responses.
template <typename Request, typename Response>
grpc::Status AdsServer::Serve(
    grpc::ServerContext& context,
    grpc::ServerReaderWriter<Response, Request>& stream,
    std::vector<Request>& log,
    const std::function<std::optional<Response>(const Request&)>& answer) {
  std::unique_lock lock(mutex_);
  ++streams_;
  headers_.clear();
  for (const auto& [name, value] : context.client_metadata()) {
    headers_.emplace(std::string(name.data(), name.size()),
                     std::string(value.data(), value.size()));
  }
  if (refuse_) return {grpc::StatusCode::UNAVAILABLE, "refused by the test"};
  const int generation = generation_;
  std::optional<Request> waiting;
  bool ended = false;
  std::thread reader([&] {
    Request request;
    while (stream.Read(&request)) {
      const std::lock_guard reading(mutex_);
      log.push_back(request);
      waiting = request;
      changed_.notify_all();
    }
    const std::lock_guard reading(mutex_);
    ended = true;
    changed_.notify_all();
  });
  while (!ended && generation == generation_) {
    std::optional<Response> response;
    if (waiting.has_value()) response = answer(*waiting);
    if (!response.has_value()) {
      changed_.wait(lock);
      continue;
    }
    waiting.reset();
    response->set_nonce("nonce " + std::to_string(++responses_));
    lock.unlock();
    stream.Write(*response);
    lock.lock();
  }
  lock.unlock();
  context.TryCancel();
  reader.join();
  return grpc::Status::OK;
}

grpc::Status AdsServer::StreamAggregatedResources(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<DiscoveryResponse, DiscoveryRequest>* stream) {
  bool answered = false;
  return Serve<DiscoveryRequest, DiscoveryResponse>(
      *context, *stream, requests_,
      [&](const DiscoveryRequest& request) -> std::optional<DiscoveryResponse> {
        if (!state_.has_value()) return std::nullopt;
        const bool is_new = !answered && !state_->resources().empty();
        if (!is_new && request.version_info() == state_->version_info()) {
          return std::nullopt;
        }
        answered = true;
        return state_;
      });
}

grpc::Status AdsServer::DeltaAggregatedResources(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<DeltaDiscoveryResponse, DeltaDiscoveryRequest>*
        stream) {
  std::optional<std::map<std::string, std::string>> known;
  return Serve<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
      *context, *stream, delta_requests_,
      [&](const DeltaDiscoveryRequest& request)
          -> std::optional<DeltaDiscoveryResponse> {
        if (!known.has_value()) {
          known.emplace(request.initial_resource_versions().begin(),
                        request.initial_resource_versions().end());
        }
        if (!delta_state_.has_value()) return std::nullopt;
        DeltaDiscoveryResponse response;
        response.set_type_url(kRateLimitType);
        for (const auto& [name, config] : *delta_state_) {
          const std::string version = std::to_string(
              std::hash<std::string>()(config.SerializeAsString()));
          if ((*known)[name] == version) continue;
          (*known)[name] = version;
          auto& resource = *response.add_resources();
          resource.set_name(name);
          resource.set_version(version);
          *resource.mutable_resource() = Pack(config);
        }
        for (auto it = known->begin(); it != known->end();) {
          if (delta_state_->contains(it->first)) {
            ++it;
            continue;
          }
          response.add_removed_resources(it->first);
          it = known->erase(it);
        }
        if (response.resources().empty() &&
            response.removed_resources().empty()) {
          return std::nullopt;
        }
        return response;
      });
}

}  // namespace rls
