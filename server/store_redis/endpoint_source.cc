#include "store_redis/endpoint_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "store_redis/enquiry.h"

namespace rls {
namespace {

class ConstantSource final : public EndpointSource {
 public:
  explicit ConstantSource(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  void Find(FoundCallback done) override { done(endpoint_); }

 private:
  const Endpoint endpoint_;
};

std::vector<std::string> Questions(absl::string_view master_name) {
  return {Command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name}),
          Command({"SENTINEL", "MASTER", master_name})};
}

class SentinelSource final : public EndpointSource, private Enquiry::Owner {
 public:
  SentinelSource(const StreamParts& parts, SentinelOptions options)
      : options_(std::move(options)),
        enquiry_(parts, options_.credentials, Questions(options_.master_name),
                 *this) {}

  void Find(FoundCallback done) override {
    done_ = std::move(done);
    std::vector<Endpoint> sentinels = options_.sentinels;
    const size_t first = turn_++ % sentinels.size();
    std::rotate(sentinels.begin(),
                sentinels.begin() + static_cast<std::ptrdiff_t>(first),
                sentinels.end());
    enquiry_.Start(std::move(sentinels));
  }

 private:
  absl::Status OnAnswer(const Endpoint&, size_t number,
                        const ReplyView& reply) override {
    if (reply.is_error()) return absl::UnavailableError(reply.text());
    return number == 0 ? ReadAddress(reply) : ReadEpoch(reply);
  }

  absl::Status ReadAddress(const ReplyView& reply) {
    uint32_t port = 0;
    if (reply.size() != 2 || !absl::SimpleAtoi(reply[1].text(), &port) ||
        port == 0 || port > UINT16_MAX) {
      return absl::UnavailableError(
          absl::StrCat("knows no master ", options_.master_name));
    }
    master_ = {.host = std::string(reply[0].text()),
               .port = static_cast<uint16_t>(port)};
    return absl::OkStatus();
  }

  // Each failover has a number, higher than those before.
  absl::Status ReadEpoch(const ReplyView& reply) {
    int64_t epoch = 0;
    if (!absl::SimpleAtoi(reply.Field("config-epoch"), &epoch)) {
      return absl::UnavailableError("tells no config-epoch");
    }
    if (epoch < newest_epoch_) {
      return absl::UnavailableError("has missed a failover");
    }
    newest_epoch_ = epoch;
    return absl::OkStatus();
  }

  void OnOver(const absl::Status& status) override {
    FoundCallback done = std::move(done_);
    if (status.ok()) {
      done(master_);
    } else {
      // Sentinels that were set up anew count from the beginning.
      newest_epoch_ = 0;
      done(status);
    }
  }

  const SentinelOptions options_;
  size_t turn_ = 0;
  Endpoint master_;
  int64_t newest_epoch_ = 0;
  FoundCallback done_;
  Enquiry enquiry_;
};

}  // namespace

std::unique_ptr<EndpointSource> NewConstantSource(Endpoint endpoint) {
  return std::make_unique<ConstantSource>(std::move(endpoint));
}

std::unique_ptr<EndpointSource> NewSentinelSource(const StreamParts& parts,
                                                  SentinelOptions options) {
  return std::make_unique<SentinelSource>(parts, std::move(options));
}

}  // namespace rls
