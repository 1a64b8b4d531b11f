#include "store_redis/split_take.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace rls {
namespace {

// Made only when nothing refuses the whole, and given back otherwise.
bool IsConditional(const Charge& charge) {
  return charge.cost > 0 && (charge.kind == ChargeKind::kEnforce ||
                             charge.kind == ChargeKind::kObserve);
}

// What a part gives back outlives the caller's charges.
struct OwnedCharge {
  Policy policy;
  Charge charge;
};

}  // namespace

SplitTake::SplitTake(std::unique_ptr<PendingTake> take,
                     absl::Span<const size_t> part_of, EventLoop& loop,
                     SteadyDuration command_timeout, Owner& owner)
    : take_(std::move(take)),
      loop_(loop),
      command_timeout_(command_timeout),
      owner_(owner),
      answer_by_(take_->answer_by),
      accounting_(take_->accounting) {
  Part whole;
  whole.keys = std::move(take_->keys);
  whole.counter_of = take_->counter_of;
  whole.charges.assign(take_->charges.begin(), take_->charges.end());
  whole.numbers.resize(whole.charges.size());
  std::iota(whole.numbers.begin(), whole.numbers.end(), size_t{0});
  parts_ = Divide(std::move(whole), part_of);
}

SplitTake::Parts SplitTake::Divide(Part whole,
                                   absl::Span<const size_t> part_of) const {
  const size_t count = *std::max_element(part_of.begin(), part_of.end()) + 1;
  std::vector<Part> parts(count);
  std::vector<size_t> place_of;  // of a key in its part
  for (size_t i = 0; i < part_of.size(); ++i) {
    Part& part = parts[part_of[i]];
    place_of.push_back(part.keys.size());
    part.keys.push_back(std::move(whole.keys[i]));
  }
  const bool all_or_nothing = accounting_ == Accounting::kAllOrNothing;
  for (size_t i = 0; i < whole.charges.size(); ++i) {
    const Charge& charge = whole.charges[i];
    const size_t counter = whole.counter_of[i];
    Part& part = parts[part_of[counter]];
    part.numbers.push_back(whole.numbers[i]);
    part.charges.push_back(charge);
    part.counter_of.push_back(place_of[counter]);
    part.decides |= all_or_nothing && charge.cost >= 0 && Denies(charge.kind);
  }
  std::stable_partition(parts.begin(), parts.end(),
                        [](const Part& part) { return part.decides; });
  return {std::make_move_iterator(parts.begin()),
          std::make_move_iterator(parts.end())};
}

void SplitTake::GoOn() {
  if (parts_out_ > 0) return;
  for (auto part = parts_.begin(); part != parts_.end(); ++part) {
    if (part->sent || !failure_.ok()) continue;
    Send(part);
    if (part->decides && !denied_) return;
  }
  if (parts_out_ == 0) Conclude();
}

void SplitTake::Send(Parts::iterator part) {
  part->sent = true;
  part->denied = denied_;
  ++parts_out_;
  auto take = std::make_unique<PendingTake>();
  take->charges = part->charges;
  take->accounting = accounting_;
  take->keys = part->keys;
  take->counter_of = part->counter_of;
  take->asked_at = take_->asked_at;
  take->answer_by = answer_by_;
  take->by_caller = take_->by_caller;
  take->part = std::make_unique<TakePart>();
  take->part->denied = denied_;
  take->part->found = [this, part](absl::Time now,
                                   absl::Span<const JudgedCounter> counters) {
    OnFound(*part, now, counters);
  };
  take->part->scattered = [this, part] { OnScattered(part); };
  take->done = [this](const auto& failed) { OnFailed(failed.status()); };
  owner_.SendPart(std::move(take));
}

// Key by key, in the order of their texts.
void SplitTake::OnScattered(Parts::iterator part) {
  --parts_out_;
  const std::vector<size_t> rank_of = RanksOf<std::string>(part->keys);
  parts_.splice(part, Divide(std::move(*part), rank_of));
  parts_.erase(part);
  GoOn();
}

void SplitTake::OnFound(Part& part, absl::Time now,
                        absl::Span<const JudgedCounter> counters) {
  --parts_out_;
  part.now = now;
  for (const JudgedCounter& counter : counters) {
    part.before.push_back(counter.before);
  }
  if (denied_ || !failure_.ok()) {
    if (!part.denied) GiveBackPart(part);
  } else if (part.decides && Refuses(part)) {
    // What it took itself, the script has given back already.
    part.denied = true;
    GiveBackAll();
    denied_ = true;
  }
  GoOn();
}

void SplitTake::OnFailed(const absl::Status& status) {
  --parts_out_;
  // A denial is one, whatever can still be learnt of the rest.
  if (!denied_ && failure_.ok()) {
    failure_ = status;
    GiveBackAll();
  }
  GoOn();
}

void SplitTake::GiveBackAll() {
  for (const Part& part : parts_) {
    if (!part.before.empty() && !part.denied) GiveBackPart(part);
  }
}

SplitTake::Judged SplitTake::Judge(const Part& part, bool denied) const {
  Judged judged;
  for (const CounterState& state : part.before) {
    judged.counters.push_back({.before = state, .after = state});
  }
  judged.outcomes.resize(part.charges.size());
  JudgeAll({.charges = part.charges,
            .accounting = accounting_,
            .counter_of = part.counter_of,
            .denied = denied},
           part.now, absl::MakeSpan(judged.counters),
           absl::MakeSpan(judged.outcomes));
  return judged;
}

bool SplitTake::Refuses(const Part& part) const {
  const Judged judged = Judge(part, false);
  for (size_t i = 0; i < part.charges.size(); ++i) {
    if (Denies(part.charges[i].kind) && !judged.outcomes[i].allowed) {
      return true;
    }
  }
  return false;
}

void SplitTake::GiveBackPart(const Part& part) {
  if (accounting_ == Accounting::kIndependent) return;
  const Judged made = Judge(part, false);
  const Judged kept = Judge(part, true);
  for (size_t counter = 0; counter < part.keys.size(); ++counter) {
    const Policy* policy = nullptr;
    int64_t cost = 0;
    for (size_t i = 0; i < part.charges.size(); ++i) {
      const Charge& charge = part.charges[i];
      if (part.counter_of[i] != counter || !IsConditional(charge) ||
          !made.outcomes[i].allowed) {
        continue;
      }
      policy = charge.policy;
      cost = std::min(kMaxAmount, cost + std::min(kMaxAmount, charge.cost));
    }
    if (policy == nullptr) continue;
    SendGiveBack(part.keys[counter], *policy, cost,
                 {.made = made.counters[counter].after,
                  .kept = kept.counters[counter].after});
  }
}

void SplitTake::SendGiveBack(const std::string& key, const Policy& policy,
                             int64_t cost, const GiveBack& states) {
  ++give_backs_out_;
  auto owned = std::make_unique<OwnedCharge>();
  owned->policy = policy;
  owned->charge = {.policy = &owned->policy, .cost = -cost};
  auto take = std::make_unique<PendingTake>();
  take->charges = {&owned->charge, 1};
  take->keys = {key};
  take->counter_of = {0};
  take->answer_by = std::max(answer_by_, loop_.Now() + command_timeout_);
  take->needs_general = true;
  take->part = std::make_unique<TakePart>();
  take->part->give_back = states;
  take->done = [this, owned = std::move(owned)](
                   const absl::StatusOr<absl::Span<const Outcome>>&) {
    --give_backs_out_;
    Conclude();
  };
  owner_.SendPart(std::move(take));
}

void SplitTake::Conclude() {
  if (parts_out_ > 0) return;
  if (take_ != nullptr) {
    if (give_backs_out_ == 0 || loop_.Now() >= answer_by_) {
      Answer();
    } else if (timer_ == nullptr) {
      // So that who asks again at once is not refused for what it has back.
      timer_ = loop_.NewTimer([this] { Answer(); });
      timer_->Set(answer_by_);
    }
  }
  if (take_ == nullptr && give_backs_out_ == 0) owner_.OnOver(*this);
}

void SplitTake::Answer() {
  timer_.reset();
  const std::unique_ptr<PendingTake> take = std::move(take_);
  if (!failure_.ok()) {
    take->Fail(failure_);
    return;
  }
  std::vector<Outcome> outcomes(take->charges.size());
  for (const Part& part : parts_) {
    if (part.before.empty()) continue;
    const Judged judged = Judge(part, denied_);
    for (size_t i = 0; i < part.numbers.size(); ++i) {
      outcomes[part.numbers[i]] = judged.outcomes[i];
    }
  }
  take->done(absl::MakeConstSpan(outcomes));
}

}  // namespace rls
