#include "xds/xds_protocol.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace rls {
namespace {

using envoy::service::discovery::v3::Resource;

constexpr char kResourceUrl[] =
    "type.googleapis.com/envoy.service.discovery.v3.Resource";

ReceivedResource Unpack(const google::protobuf::Any& any) {
  ReceivedResource resource{.bytes = any.value()};
  if (any.type_url() != kXdsTypeUrl) {
    resource.error = absl::StrCat("found type ", Quoted(any.type_url()),
                                  ", expected ", kXdsTypeUrl);
  }
  return resource;
}

template <typename Request>
void SetError(const std::vector<XdsError>& errors, Request& request) {
  if (errors.empty()) return;
  request.mutable_error_detail()->set_code(
      static_cast<int>(absl::StatusCode::kInvalidArgument));
  request.mutable_error_detail()->set_message(XdsErrorText(errors));
}

}  // namespace

std::string XdsErrorText(const std::vector<XdsError>& errors) {
  std::vector<std::string> texts;
  for (const XdsError& error : errors) {
    if (texts.size() == kMaxNamedXdsErrors) {
      texts.push_back(
          absl::StrCat("and ", errors.size() - kMaxNamedXdsErrors, " more"));
      break;
    }
    texts.push_back(error.ToString());
  }
  return absl::StrJoin(texts, "; ");
}

// A server without resources may have no version either, as Envoy Gateway after
// the last policy is deleted. It does not answer a client that names no
// version. So a client that has rules must name one, even if it has accepted
// none.
SotwXds::Request SotwXds::First() const {
  Request request;
  request.set_version_info(accepted_.empty() ? applied_ : accepted_);
  return request;
}

std::vector<XdsError> SotwXds::Apply(const Response& response,
                                     ResourceTable& table) {
  // The wrappers must outlive the views of their contents.
  std::vector<std::unique_ptr<Resource>> wrappers;
  std::vector<ReceivedResource> resources;
  resources.reserve(response.resources_size());
  for (const google::protobuf::Any& any : response.resources()) {
    if (any.type_url() != kResourceUrl) {
      resources.push_back(Unpack(any));
      continue;
    }
    Resource& wrapper = *wrappers.emplace_back(std::make_unique<Resource>());
    const bool parsed = wrapper.ParseFromString(any.value());
    resources.push_back(Unpack(wrapper.resource()));
    resources.back().name = wrapper.name();
    if (!parsed) resources.back().error = "not a valid Resource message";
  }
  std::vector<XdsError> errors = table.Replace(resources);
  applied_ = response.version_info();
  if (errors.empty()) accepted_ = applied_;
  return errors;
}

SotwXds::Request SotwXds::Answer(const Response& response,
                                 const std::vector<XdsError>& errors) const {
  Request request;
  request.set_version_info(accepted_);
  request.set_response_nonce(response.nonce());
  SetError(errors, request);
  return request;
}

DeltaXds::Request DeltaXds::First() const {
  Request request;
  request.mutable_initial_resource_versions()->insert(versions_.begin(),
                                                      versions_.end());
  return request;
}

std::vector<XdsError> DeltaXds::Apply(const Response& response,
                                      ResourceTable& table) {
  std::vector<ReceivedResource> resources;
  resources.reserve(response.resources_size());
  for (const Resource& resource : response.resources()) {
    resources.push_back(Unpack(resource.resource()));
    resources.back().name = resource.name();
    resources.back().version = resource.version();
  }
  std::vector<XdsError> errors =
      table.Update(resources, {response.removed_resources().begin(),
                               response.removed_resources().end()});
  versions_ = table.Versions();
  return errors;
}

DeltaXds::Request DeltaXds::Answer(const Response& response,
                                   const std::vector<XdsError>& errors) const {
  Request request;
  request.set_response_nonce(response.nonce());
  SetError(errors, request);
  return request;
}

}  // namespace rls
