#ifndef RLS_TESTS_UNIT_LIMITER_FAKE_TIER_SOURCE_H_
#define RLS_TESTS_UNIT_LIMITER_FAKE_TIER_SOURCE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rules/tier_source.h"

namespace rls {

// A source that answers from `tiers`: at once, or, while `is_held`, when the
// test releases the answer. Like the real factory, it returns the same source
// as long as the description stays the same.
class FakeTierSources final : public TierSources {
 public:
  struct Source final : TierSource {
    void Lookup(absl::string_view user, absl::Time deadline,
                AnswerCallback done) override {
      asked.emplace_back(user);
      last_deadline = deadline;
      if (is_held) {
        held.emplace_back(user, std::move(done));
      } else {
        done(TierOf(asked.back()));
      }
    }

    void Refresh(absl::string_view user, RefreshCallback done) override {
      refreshed.emplace_back(user);
      const std::optional<std::string> tier = TierOf(refreshed.back());
      if (tier.has_value()) {
        done(*tier);
      } else {
        done(absl::UnavailableError("no reply"));
      }
    }

    // Answers the first look-up that waits.
    void ReleaseOne() {
      auto [user, done] = std::move(held.front());
      held.erase(held.begin());
      done(TierOf(user));
    }

    std::optional<std::string> TierOf(const std::string& user) const {
      const auto it = tiers.find(user);
      if (it == tiers.end()) return std::nullopt;
      return it->second;
    }

    std::map<std::string, std::string> tiers;
    bool is_held = false;
    std::vector<std::pair<std::string, AnswerCallback>> held;
    std::vector<std::string> asked;
    std::vector<std::string> refreshed;
    absl::Time last_deadline;
  };

  std::shared_ptr<TierSource> Open(const std::string& domain,
                                   const TierSourceSpec& spec) override {
    if (source == nullptr || spec != last_spec) {
      source = std::make_shared<Source>();
      ++opened;
    }
    last_domain = domain;
    last_spec = spec;
    return source;
  }

  std::shared_ptr<Source> source;
  int opened = 0;
  std::string last_domain;
  TierSourceSpec last_spec;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LIMITER_FAKE_TIER_SOURCE_H_
