#include "store_redis/router.h"

#include <utility>

#include "store_redis/cluster_router.h"
#include "store_redis/endpoint_source.h"

namespace rls {
namespace {

// One server has all counters.
class SingleRouter final : public Router {
 public:
  SingleRouter(const PipelineParts& parts,
               std::unique_ptr<EndpointSource> source)
      : pipeline_(parts, std::move(source), nullptr) {}

  void Open() override { pipeline_.Open(); }
  bool usable() const override { return pipeline_.usable(); }
  void Add(std::unique_ptr<PendingTake> take) override {
    pipeline_.Add(std::move(take));
  }
  void Flush() override { pipeline_.Flush(); }

 private:
  Pipeline pipeline_;
};

}  // namespace

std::unique_ptr<Router> NewRouter(const PipelineParts& parts,
                                  const RedisTarget& target) {
  switch (target.kind) {
    case RedisTarget::Kind::kSingle:
      break;
    case RedisTarget::Kind::kCluster:
      return NewClusterRouter(parts, target);
    case RedisTarget::Kind::kSentinel:
      return std::make_unique<SingleRouter>(
          parts,
          NewSentinelSource(parts.stream,
                            {.sentinels = target.endpoints,
                             .master_name = target.master_name,
                             .credentials = target.sentinel_credentials}));
  }
  return std::make_unique<SingleRouter>(parts,
                                        NewConstantSource(target.endpoints[0]));
}

}  // namespace rls
