#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "limiter/steps.h"
#include "trace/tracer.h"

namespace rls {
namespace {

class TakeBegin final : public Step<Demand> {
 public:
  explicit TakeBegin(Flow& flow) : flow_(flow) {}

  bool Concerns(const Demand& request) const override {
    return request.query().trace != nullptr && !request.charges().empty();
  }

  void Run(Demand request) override {
    request.query().trace->BeginPart(
        "store take", "ratelimit.charges",
        static_cast<int64_t>(request.charges().size()));
    flow_.Proceed(std::move(request));
  }

 private:
  Flow& flow_;
};

class TakeEnd final : public Step<Taken> {
 public:
  explicit TakeEnd(Flow& flow) : flow_(flow) {}

  bool Concerns(const Taken& request) const override {
    return request.query().trace != nullptr;
  }

  void Run(Taken request) override {
    const absl::Status& status = request.status();
    request.query().trace->EndPart(
        status.ok() ? "" : absl::StatusCodeToString(status.code()));
    flow_.Proceed(std::move(request));
  }

 private:
  Flow& flow_;
};

}  // namespace

std::unique_ptr<Step<Demand>> NewTakeBegin(Flow& flow) {
  return std::make_unique<TakeBegin>(flow);
}

std::unique_ptr<Step<Taken>> NewTakeEnd(Flow& flow) {
  return std::make_unique<TakeEnd>(flow);
}

}  // namespace rls
