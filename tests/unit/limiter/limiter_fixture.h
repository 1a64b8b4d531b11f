#ifndef RLS_TESTS_UNIT_LIMITER_LIMITER_FIXTURE_H_
#define RLS_TESTS_UNIT_LIMITER_LIMITER_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "fake_clock.h"
#include "fake_loop.h"
#include "gtest/gtest.h"
#include "limiter/limiter.h"
#include "rules/rule_book.h"
#include "store/memory/memory_store.h"
#include "unit/limiter/limiter_fakes.h"

namespace rls {

// A copy of the verdict. `leading` is an index, or -1.
struct Answer {
  int dones = 0;
  absl::Status status;
  bool over_limit = false;
  std::vector<LimitStatus> statuses;
  int leading = -1;

  const LimitStatus& only() const { return statuses.at(0); }
};

// "a=1,b=2" as a descriptor; `text` must outlive it.
inline Descriptor Of(absl::string_view text) {
  Descriptor descriptor;
  if (text.empty()) return descriptor;
  for (const absl::string_view pair : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    descriptor.entries.push_back({entry.first, entry.second});
  }
  return descriptor;
}

inline Query Asking(std::vector<Descriptor> descriptors) {
  Query query;
  query.domain = "domain";
  query.descriptors.assign(descriptors.begin(), descriptors.end());
  return query;
}

// A node that limits `key` with any value, in windows of a minute.
inline RuleNode Limited(const std::string& key, int64_t limit) {
  RuleNode node{.key = key};
  node.rule = Rule{.path = key, .policy = {.limit = limit}};
  return node;
}

class LimiterTest : public testing::Test {
 protected:
  void Load(DomainSpec spec) {
    spec.name = "domain";
    auto domain = CompileDomain(std::move(spec), metrics_, tier_sources_);
    ASSERT_TRUE(domain.ok()) << domain.status();
    domain_ = *domain;
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    book->domains["domain"] = domain_;
    rules_.Set(std::move(book));
  }
  void LoadNodes(std::vector<RuleNode> nodes) {
    DomainSpec spec;
    spec.nodes = std::move(nodes);
    Load(std::move(spec));
  }

  // Replaces the limiter.
  void SetModes(const DecisionModes& modes) {
    limiter_.reset();
    limiter_ = NewLimiter({.rules = rules_,
                           .loop = loop_,
                           .store = store_,
                           .local_store = *local_,
                           .modes = modes,
                           .clock = clock_,
                           .metrics = metrics_});
  }

  // `answer` must outlive the call, and `query` the answer.
  void Start(const Query& query, Answer& answer) {
    limiter_->Check(query, [&answer](absl::StatusOr<const Verdict*> verdict) {
      ++answer.dones;
      answer.status = verdict.status();
      if (!verdict.ok()) return;
      const Verdict& said = **verdict;
      answer.over_limit = said.over_limit;
      answer.statuses.assign(said.statuses.begin(), said.statuses.end());
      if (said.leading != nullptr) {
        answer.leading = static_cast<int>(said.leading - &said.statuses[0]);
      }
    });
  }

  Answer Check(const Query& query) {
    Answer answer;
    Start(query, answer);
    EXPECT_EQ(answer.dones, 1);
    if (answer.status.ok()) {
      EXPECT_EQ(answer.statuses.size(), query.descriptors.size());
    }
    return answer;
  }
  Answer Check(absl::string_view descriptor) {
    return Check(Asking({Of(descriptor)}));
  }

  // The remaining units that a look sees.
  int64_t Remaining(absl::string_view text) {
    Descriptor descriptor = Of(text);
    descriptor.hits = 0;
    return Check(Asking({descriptor})).only().remaining;
  }

  static double Total(const Counter* counter) {
    return static_cast<const FakeCounter*>(counter)->total;
  }
  const CompiledRule& RuleAt(absl::string_view path) {
    const CompiledRule* found = nullptr;
    domain_->ForEachRule([&](const CompiledRule& rule) {
      if (rule.path == path) found = &rule;
    });
    EXPECT_NE(found, nullptr) << path;
    return *found;
  }

  FakeClock clock_;
  FakeMetrics metrics_;
  RuleBookHolder rules_;
  TierSources* tier_sources_ = nullptr;  // for later loads
  std::shared_ptr<const Domain> domain_;
  std::unique_ptr<MemoryStore> memory_ = NewMemoryStore(clock_, {});
  std::unique_ptr<MemoryStore> local_ = NewMemoryStore(clock_, {});
  UnreliableStore store_{*memory_};
  FakeLoop loop_{clock_};
  std::unique_ptr<Limiter> limiter_ = NewLimiter({.rules = rules_,
                                                  .loop = loop_,
                                                  .store = store_,
                                                  .local_store = *local_,
                                                  .clock = clock_,
                                                  .metrics = metrics_});
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LIMITER_LIMITER_FIXTURE_H_
