#include "limiter/tier_question.h"

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

// With what a decision itself does of tiers that are asked for.

namespace rls {

std::optional<absl::string_view> Decision::UserToAsk(size_t descriptor) const {
  const Match& match = matches_[descriptor];
  if (!match.asks_source) return std::nullopt;
  return match.parts[1];
}

// The counter stays the user's, whatever the tier.
void Decision::SetTier(size_t descriptor, absl::string_view tier) {
  if (tier.empty()) return;
  if (const CompiledRule* rule = domain_.RuleOfTier(tier)) {
    matches_[descriptor].rule = rule;
  }
}

namespace {

struct Question {
  std::unique_ptr<Decision> decision;
  absl::AnyInvocable<void(std::unique_ptr<Decision>)> told;
  // Answers that are still to come, and one for the asking itself, so that an
  // answer at once does not end what has not been asked yet.
  std::atomic<size_t> open{1};
};

// Whoever is the last owns the question.
void Close(Question* question) {
  if (question->open.fetch_sub(1) > 1) return;
  const std::unique_ptr<Question> last(question);
  last->told(std::move(last->decision));
}

}  // namespace

void AskTiers(std::unique_ptr<Decision> decision,
              absl::AnyInvocable<void(std::unique_ptr<Decision>)> told) {
  auto made = std::make_unique<Question>();
  made->decision = std::move(decision);
  made->told = std::move(told);
  Question* const question = made.release();
  Decision& asking = *question->decision;
  TierSource& source = *asking.tier_source();
  for (size_t i = 0; i < asking.descriptors(); ++i) {
    const std::optional<absl::string_view> user = asking.UserToAsk(i);
    if (!user.has_value()) continue;
    ++question->open;
    source.Ask(*user, asking.deadline(),
               [question, i](const std::optional<std::string>& tier) {
                 if (tier.has_value()) question->decision->SetTier(i, *tier);
                 Close(question);
               });
  }
  Close(question);
}

}  // namespace rls
