#include "unit/tiers/tier_source_fixture.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rls {

std::future<Tier> TierSourceTest::Start(const std::string& user,
                                        absl::Time deadline) {
  std::promise<Tier> promise;
  std::future<Tier> future = promise.get_future();
  source_->Lookup(user, deadline,
                  [promise = std::move(promise)](Tier tier) mutable {
                    promise.set_value(std::move(tier));
                  });
  return future;
}

Tier TierSourceTest::Find(const std::string& user, absl::Time deadline) {
  return Start(user, deadline).get();
}

std::future<absl::StatusOr<std::string>> TierSourceTest::StartRefresh(
    const std::string& user) {
  std::promise<absl::StatusOr<std::string>> promise;
  auto future = promise.get_future();
  source_->Refresh(user, [promise = std::move(promise)](
                             absl::StatusOr<std::string> tier) mutable {
    promise.set_value(std::move(tier));
  });
  return future;
}

double TierSourceTest::Value(const std::string& name,
                             const std::string& label) const {
  const std::string text = metrics_->Text();
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, absl::StrCat("ratelimitd_tier_", name, "{"))) {
      continue;
    }
    if (!absl::StrContains(line, label)) continue;
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value));
    return value;
  }
  ADD_FAILURE() << "no " << name << " with " << label;
  return 0;
}

}  // namespace rls
