#include "store_redis/per_second_router.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "store_redis/split_take.h"
#include "store_redis/split_takes.h"

namespace rls {
namespace {

// The places, by number.
constexpr size_t kRest = 0;
constexpr size_t kPerSecond = 1;

size_t PlaceOf(const Charge& charge) {
  const Policy& policy = *charge.policy;
  return policy.calendar == Calendar::kNone && policy.window == absl::Seconds(1)
             ? kPerSecond
             : kRest;
}

class PerSecondRouter final : public Router {
 public:
  PerSecondRouter(EventLoop& loop, SteadyDuration command_timeout,
                  std::unique_ptr<Router> rest,
                  std::unique_ptr<Router> per_second)
      : splits_(loop, command_timeout, *this),
        routers_({std::move(rest), std::move(per_second)}) {}

  ~PerSecondRouter() override {
    for (std::unique_ptr<Router>& router : routers_) router.reset();
    splits_.FailAll();
  }

  void Open() override {
    for (const auto& router : routers_) router->Open();
  }
  bool usable() const override {
    return std::any_of(routers_.begin(), routers_.end(),
                       [](const auto& router) { return router->usable(); });
  }
  bool ready() const override {
    return std::all_of(routers_.begin(), routers_.end(),
                       [](const auto& router) { return router->ready(); });
  }

  void Add(std::unique_ptr<PendingTake> take) override {
    const size_t place = PlaceOf(take->charges[0]);
    if (std::all_of(
            take->charges.begin(), take->charges.end(),
            [&](const Charge& charge) { return PlaceOf(charge) == place; })) {
      routers_[place]->Add(std::move(take));
      return;
    }
    using Part = std::pair<size_t, size_t>;  // place, part of it
    std::vector<Part> parts(take->keys.size());
    for (size_t i = 0; i < take->charges.size(); ++i) {
      const size_t key = take->counter_of[i];
      const size_t at = PlaceOf(take->charges[i]);
      parts[key] = {at, routers_[at]->PartOf(take->keys[key])};
    }
    splits_.Split(std::move(take), RanksOf<Part>(parts));
  }

  void Flush() override {
    for (PendingTakes due = splits_.TakeDue(); !due.empty();
         due = splits_.TakeDue()) {
      for (std::unique_ptr<PendingTake>& take : due) {
        const size_t place = PlaceOf(take->charges[0]);
        routers_[place]->Add(std::move(take));
      }
    }
    for (const auto& router : routers_) router->Flush();
  }

 private:
  SplitTakes splits_;
  std::array<std::unique_ptr<Router>, 2> routers_;
};

}  // namespace

std::unique_ptr<Router> NewPerSecondRouter(EventLoop& loop,
                                           SteadyDuration command_timeout,
                                           std::unique_ptr<Router> rest,
                                           std::unique_ptr<Router> per_second) {
  return std::make_unique<PerSecondRouter>(
      loop, command_timeout, std::move(rest), std::move(per_second));
}

}  // namespace rls
