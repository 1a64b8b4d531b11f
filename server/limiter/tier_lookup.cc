#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "limiter/steps.h"
#include "rules/tier_source.h"

namespace rls {
namespace {

// A request whose users' tiers are being looked up.
struct Lookups {
  explicit Lookups(Matched matched) : request(std::move(matched)) {}

  Matched request;
  // Answers that are still to come, and one for the loop that starts the
  // look-ups: an immediate answer must not end a request that is not yet
  // looked up in full.
  std::atomic<size_t> open{1};
};

// The counter stays that of the user, whatever the tier. Several descriptors of
// one request may get their tiers at the same time.
void SetTier(Matched& request, size_t descriptor, absl::string_view tier) {
  if (tier.empty()) return;
  if (const CompiledRule* rule = request.domain().RuleOfTier(tier)) {
    request.matches()[descriptor].rule = rule;
  }
}

class TierLookup final : public Step<Matched> {
 public:
  explicit TierLookup(Flow& flow) : flow_(flow) {}

  bool Concerns(const Matched& request) const override {
    const absl::Span<const Match> matches = request.matches();
    return std::any_of(matches.begin(), matches.end(),
                       [](const Match& match) { return match.needs_lookup; }) &&
           request.domain().tier_source() != nullptr;
  }

  void Run(Matched request) override {
    TierSource* const source = request.domain().tier_source();
    auto* const lookups = new Lookups(std::move(request));
    Matched& looking = lookups->request;
    for (size_t i = 0; i < looking.matches().size(); ++i) {
      const Match& match = looking.matches()[i];
      if (!match.needs_lookup) continue;
      ++lookups->open;
      const absl::string_view user = match.parts[1];
      source->Lookup(
          user, looking.query().deadline,
          [this, lookups, i](const std::optional<std::string>& tier) {
            if (tier.has_value()) SetTier(lookups->request, i, *tier);
            Close(lookups);
          });
    }
    Close(lookups);
  }

 private:
  // The last answer owns the look-ups.
  void Close(Lookups* lookups) {
    if (lookups->open.fetch_sub(1) > 1) return;
    const std::unique_ptr<Lookups> last(lookups);
    flow_.Proceed(std::move(last->request));
  }

  Flow& flow_;
};

}  // namespace

std::unique_ptr<Step<Matched>> NewTierLookup(Flow& flow) {
  return std::make_unique<TierLookup>(flow);
}

}  // namespace rls
