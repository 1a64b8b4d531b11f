#include "store/redis/split_take.h"

#include <iterator>
#include <list>
#include <numeric>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "limit/charge.h"
#include "store/judge_all.h"

namespace rls {
namespace {

// Whether the charge is made only if nothing refuses the whole take, and must
// otherwise be given back.
bool IsConditional(const Charge& charge) {
  return charge.cost > 0 && (charge.kind == ChargeKind::kEnforce ||
                             charge.kind == ChargeKind::kObserve);
}

// The charge of a give-back, which may outlive the charges of the take.
struct OwnedCharge {
  Policy policy;
  Charge charge;
};

}  // namespace

// One take in progress. Removes itself from its owner when the take is answered
// and all sub-takes and give-backs have ended.
class SplitTake {
 public:
  SplitTake(std::unique_ptr<PendingTake> take,
            absl::Span<const size_t> sub_take_of, SplitTakes& owner);
  SplitTake(const SplitTake&) = delete;
  SplitTake& operator=(const SplitTake&) = delete;

  // Sends the next sub-takes, or concludes.
  void GoOn();

 private:
  struct SubTake {
    std::vector<size_t> numbers;  // of its charges, in the whole take
    std::vector<Charge> charges;
    absl::InlinedVector<std::string, 2> keys;
    absl::InlinedVector<size_t, 2> counter_of;  // charges[i] -> keys[...]
    bool decides = false;  // has a charge that can refuse the whole take
    bool sent = false;
    bool denied = false;  // the whole take was denied before this was sent
    // The time of Redis, and the state of each key before the sub-take.
    // `before` is empty until Redis has answered.
    absl::Time now;
    std::vector<CounterState> before;
  };
  struct Judged {
    std::vector<JudgedCounter> counters;
    std::vector<Outcome> outcomes;
  };
  // Elements stay where they are: callbacks refer to them.
  using SubTakes = std::list<SubTake>;

  // Splits a sub-take. The sub-takes that decide come first.
  SubTakes Divide(SubTake whole, absl::Span<const size_t> sub_take_of) const;
  void Send(SubTakes::iterator sub_take);
  void OnScattered(SubTakes::iterator sub_take);
  void OnFound(SubTake& sub_take, absl::Time now,
               absl::Span<const JudgedCounter> counters);
  void OnFailed(const absl::Status& status);
  Judged Judge(const SubTake& sub_take, bool denied) const;
  bool Refuses(const SubTake& sub_take) const;
  void GiveBackAll();
  void GiveBackSubTake(const SubTake& sub_take);
  void SendGiveBack(const std::string& key, const Policy& policy, int64_t cost,
                    const GiveBack& states);
  void Conclude();
  void Answer();

  std::unique_ptr<PendingTake> take_;  // null once answered
  SplitTakes& owner_;
  EventLoop& loop_;
  const SteadyTime answer_by_;
  const Accounting accounting_;
  SubTakes sub_takes_;
  bool denied_ = false;
  absl::Status failure_;
  size_t sub_takes_out_ = 0;
  size_t give_backs_out_ = 0;
  // Answers the take if the give-backs take too long.
  std::unique_ptr<EventLoop::Timer> timer_;
};

SplitTake::SplitTake(std::unique_ptr<PendingTake> take,
                     absl::Span<const size_t> sub_take_of, SplitTakes& owner)
    : take_(std::move(take)),
      owner_(owner),
      loop_(owner.loop_),
      answer_by_(take_->answer_by),
      accounting_(take_->accounting) {
  SubTake whole;
  whole.keys = std::move(take_->keys);
  whole.counter_of = take_->counter_of;
  whole.charges.assign(take_->charges.begin(), take_->charges.end());
  whole.numbers.resize(whole.charges.size());
  std::iota(whole.numbers.begin(), whole.numbers.end(), size_t{0});
  sub_takes_ = Divide(std::move(whole), sub_take_of);
}

SplitTake::SubTakes SplitTake::Divide(
    SubTake whole, absl::Span<const size_t> sub_take_of) const {
  const size_t count =
      *std::max_element(sub_take_of.begin(), sub_take_of.end()) + 1;
  std::vector<SubTake> sub_takes(count);
  std::vector<size_t> place_of;  // the place of a key in its sub-take
  for (size_t i = 0; i < sub_take_of.size(); ++i) {
    SubTake& sub_take = sub_takes[sub_take_of[i]];
    place_of.push_back(sub_take.keys.size());
    sub_take.keys.push_back(std::move(whole.keys[i]));
  }
  const bool all_or_nothing = accounting_ == Accounting::kAllOrNothing;
  for (size_t i = 0; i < whole.charges.size(); ++i) {
    const Charge& charge = whole.charges[i];
    const size_t counter = whole.counter_of[i];
    SubTake& sub_take = sub_takes[sub_take_of[counter]];
    sub_take.numbers.push_back(whole.numbers[i]);
    sub_take.charges.push_back(charge);
    sub_take.counter_of.push_back(place_of[counter]);
    sub_take.decides |=
        all_or_nothing && charge.cost >= 0 && Denies(charge.kind);
  }
  std::stable_partition(
      sub_takes.begin(), sub_takes.end(),
      [](const SubTake& sub_take) { return sub_take.decides; });
  return {std::make_move_iterator(sub_takes.begin()),
          std::make_move_iterator(sub_takes.end())};
}

void SplitTake::GoOn() {
  if (sub_takes_out_ > 0) return;
  for (auto sub_take = sub_takes_.begin(); sub_take != sub_takes_.end();
       ++sub_take) {
    if (sub_take->sent || !failure_.ok()) continue;
    Send(sub_take);
    if (sub_take->decides && !denied_) return;
  }
  if (sub_takes_out_ == 0) Conclude();
}

void SplitTake::Send(SubTakes::iterator sub_take) {
  sub_take->sent = true;
  sub_take->denied = denied_;
  ++sub_takes_out_;
  auto take = std::make_unique<PendingTake>();
  take->charges = sub_take->charges;
  take->accounting = accounting_;
  take->keys = sub_take->keys;
  take->counter_of = sub_take->counter_of;
  take->taken_at = take_->taken_at;
  take->answer_by = answer_by_;
  take->by_caller = take_->by_caller;
  take->sub_take = std::make_unique<SubTakeHooks>();
  take->sub_take->denied = denied_;
  take->sub_take->found = [this, sub_take](
                              absl::Time now,
                              absl::Span<const JudgedCounter> counters) {
    OnFound(*sub_take, now, counters);
  };
  take->sub_take->scattered = [this, sub_take] { OnScattered(sub_take); };
  take->done = [this](const auto& failed) { OnFailed(failed.status()); };
  owner_.Later(std::move(take));
}

// Continues with one sub-take for each key, in the order of the keys' texts.
void SplitTake::OnScattered(SubTakes::iterator sub_take) {
  --sub_takes_out_;
  const std::vector<size_t> rank_of = RanksOf<std::string>(sub_take->keys);
  sub_takes_.splice(sub_take, Divide(std::move(*sub_take), rank_of));
  sub_takes_.erase(sub_take);
  GoOn();
}

void SplitTake::OnFound(SubTake& sub_take, absl::Time now,
                        absl::Span<const JudgedCounter> counters) {
  --sub_takes_out_;
  sub_take.now = now;
  for (const JudgedCounter& counter : counters) {
    sub_take.before.push_back(counter.before);
  }
  if (denied_ || !failure_.ok()) {
    if (!sub_take.denied) GiveBackSubTake(sub_take);
  } else if (sub_take.decides && Refuses(sub_take)) {
    // The script has already given back the charges of this sub-take.
    sub_take.denied = true;
    GiveBackAll();
    denied_ = true;
  }
  GoOn();
}

void SplitTake::OnFailed(const absl::Status& status) {
  --sub_takes_out_;
  // After a denial the take is refused even if another sub-take fails.
  if (!denied_ && failure_.ok()) {
    failure_ = status;
    GiveBackAll();
  }
  GoOn();
}

void SplitTake::GiveBackAll() {
  for (const SubTake& sub_take : sub_takes_) {
    if (!sub_take.before.empty() && !sub_take.denied) GiveBackSubTake(sub_take);
  }
}

SplitTake::Judged SplitTake::Judge(const SubTake& sub_take, bool denied) const {
  Judged judged;
  for (const CounterState& state : sub_take.before) {
    judged.counters.push_back({.before = state, .after = state});
  }
  judged.outcomes.resize(sub_take.charges.size());
  JudgeAll({.charges = sub_take.charges,
            .accounting = accounting_,
            .counter_of = sub_take.counter_of,
            .denied = denied},
           sub_take.now, absl::MakeSpan(judged.counters),
           absl::MakeSpan(judged.outcomes));
  return judged;
}

bool SplitTake::Refuses(const SubTake& sub_take) const {
  const Judged judged = Judge(sub_take, false);
  for (size_t i = 0; i < sub_take.charges.size(); ++i) {
    if (Denies(sub_take.charges[i].kind) && !judged.outcomes[i].allowed) {
      return true;
    }
  }
  return false;
}

void SplitTake::GiveBackSubTake(const SubTake& sub_take) {
  if (accounting_ == Accounting::kIndependent) return;
  const Judged made = Judge(sub_take, false);
  const Judged kept = Judge(sub_take, true);
  for (size_t counter = 0; counter < sub_take.keys.size(); ++counter) {
    const Policy* policy = nullptr;
    int64_t cost = 0;
    for (size_t i = 0; i < sub_take.charges.size(); ++i) {
      const Charge& charge = sub_take.charges[i];
      if (sub_take.counter_of[i] != counter || !IsConditional(charge) ||
          !made.outcomes[i].allowed) {
        continue;
      }
      policy = charge.policy;
      cost = std::min(kMaxAmount, cost + std::min(kMaxAmount, charge.cost));
    }
    if (policy == nullptr) continue;
    SendGiveBack(sub_take.keys[counter], *policy, cost,
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
  take->answer_by = std::max(answer_by_, loop_.Now() + owner_.command_timeout_);
  take->needs_take_lua = true;
  take->sub_take = std::make_unique<SubTakeHooks>();
  take->sub_take->give_back = states;
  take->done = [this, owned = std::move(owned)](
                   const absl::StatusOr<absl::Span<const Outcome>>&) {
    --give_backs_out_;
    Conclude();
  };
  owner_.Later(std::move(take));
}

void SplitTake::Conclude() {
  if (sub_takes_out_ > 0) return;
  if (take_ != nullptr) {
    if (give_backs_out_ == 0 || loop_.Now() >= answer_by_) {
      Answer();
    } else if (timer_ == nullptr) {
      // The answer waits for the give-backs: a client that repeats its request
      // immediately must not be refused because of its own units.
      timer_ = loop_.NewTimer([this] { Answer(); });
      timer_->Set(answer_by_);
    }
  }
  if (take_ == nullptr && give_backs_out_ == 0) owner_.splits_.erase(this);
}

void SplitTake::Answer() {
  timer_.reset();
  const std::unique_ptr<PendingTake> take = std::move(take_);
  if (!failure_.ok()) {
    take->Fail(failure_);
    return;
  }
  std::vector<Outcome> outcomes(take->charges.size());
  for (const SubTake& sub_take : sub_takes_) {
    if (sub_take.before.empty()) continue;
    const Judged judged = Judge(sub_take, denied_);
    for (size_t i = 0; i < sub_take.numbers.size(); ++i) {
      outcomes[sub_take.numbers[i]] = judged.outcomes[i];
    }
  }
  take->done(absl::MakeConstSpan(outcomes));
}

SplitTakes::SplitTakes(EventLoop& loop, SteadyDuration command_timeout,
                       absl::AnyInvocable<void()> flush)
    : loop_(loop),
      command_timeout_(command_timeout),
      flush_(std::move(flush)) {}

SplitTakes::~SplitTakes() = default;

void SplitTakes::Split(std::unique_ptr<PendingTake> take,
                       absl::Span<const size_t> sub_take_of) {
  auto split = std::make_unique<SplitTake>(std::move(take), sub_take_of, *this);
  SplitTake* const begun = split.get();
  splits_.emplace(begun, std::move(split));
  begun->GoOn();
}

void SplitTakes::Later(std::unique_ptr<PendingTake> take) {
  later_.push_back(std::move(take));
  FlushLater();
}

void SplitTakes::FlushLater() {
  if (std::exchange(flush_posted_, true)) return;
  loop_.Post([this] {
    flush_posted_ = false;
    flush_();
  });
}

PendingTakes SplitTakes::TakeDue() {
  PendingTakes due;
  // An expired sub-take may send give-backs.
  while (due.empty() && !later_.empty()) {
    for (std::unique_ptr<PendingTake>& take : std::exchange(later_, {})) {
      if (take->answer_by <= loop_.Now()) {
        take->Expire();
      } else {
        due.push_back(std::move(take));
      }
    }
  }
  return due;
}

void SplitTakes::FailAll() {
  // A failed sub-take may send give-backs.
  while (!later_.empty()) {
    for (std::unique_ptr<PendingTake>& take : std::exchange(later_, {})) {
      take->Fail(absl::UnavailableError("the Redis store is closing"));
    }
  }
}

}  // namespace rls
