#include "unit/store/lease/lease_simulation.h"

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "limit/algorithms.h"
#include "store/memory/memory_store.h"

namespace rls {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(1);
constexpr absl::Duration kCommandTimeout = absl::Milliseconds(10);
constexpr absl::string_view kParts[] = {"user", "hot"};

}  // namespace

// A request without an answer yet. Times are by the store's clock.
struct LeaseSimulation::Request {
  absl::Time sent_at;
  int64_t cost = 0;
  // The units that the store was charged for, and when.
  int64_t store_units = 0;
  absl::Time charged_at;
};

// A pending take. It owns its data, because it may arrive after its sender has
// given up.
struct LeaseSimulation::Trip {
  explicit Trip(const Charge& charge) : key(charge), kind(charge.kind) {
    cost = charge.cost;
    if (charge.booking != nullptr) booking = *charge.booking;
  }

  const LeasedKey key;
  const ChargeKind kind;
  int64_t cost = 0;
  std::optional<Booking> booking;
  CounterStore::TakeCallback done;   // null: the sender has given up
  std::shared_ptr<Request> request;  // null: a background take
  absl::Duration arrives;            // since the beginning
  absl::Duration answered;
  absl::Duration given_up;
  bool has_arrived = false;
  absl::StatusOr<Outcome> answer = absl::UnavailableError("lost");
};

class LeaseSimulation::Link final : public CounterStore {
 public:
  explicit Link(LeaseSimulation& world) : world_(world) {}

  void Take(absl::Span<const Charge> charges, Accounting, absl::Time,
            TakeCallback done) override {
    ++world_.takes_;
    auto trip = std::make_unique<Trip>(charges[0]);
    trip->done = std::move(done);
    if (charges[0].lease != nullptr) trip->request = request;
    const auto way = [this] {
      const bool slow = world_.Below(1000) < world_.plan_.slow_ppt;
      return absl::Microseconds(world_.Below(slow ? 3'000'000 : 2'000));
    };
    const bool lost = world_.Below(1000) < world_.plan_.lost_ppt;
    const bool on_the_way_back = world_.OneIn(2);
    const absl::Duration never = absl::InfiniteDuration();
    const absl::Duration now = world_.clock_.Elapsed();
    trip->arrives = lost && !on_the_way_back ? never : now + way();
    trip->answered = lost ? never : trip->arrives + way();
    trip->given_up = now + kCommandTimeout;
    if (trip->cost < 0 && trip->arrives > trip->given_up) {
      // The units may have lapsed when this refund arrives.
      world_.WindowOf(world_.clock_.Now()).lost -= trip->cost;
    }
    trips_.push_back(std::move(trip));
  }

  void Step() {
    const absl::Duration now = world_.clock_.Elapsed();
    for (auto it = trips_.begin(); it != trips_.end();) {
      Trip& trip = **it;
      if (!trip.has_arrived && trip.arrives <= now) Arrive(trip);
      if (trip.done != nullptr && trip.has_arrived && trip.answered <= now) {
        Answer(trip);
      } else if (trip.done != nullptr && trip.given_up <= now) {
        GiveUp(trip);
      }
      const bool is_over =
          trip.done == nullptr &&
          (trip.has_arrived || trip.arrives == absl::InfiniteDuration());
      it = is_over ? trips_.erase(it) : std::next(it);
    }
  }

  // The replica dies. Its pending takes still arrive.
  void Die() {
    for (const auto& trip : trips_) {
      if (trip->done == nullptr) continue;
      if (trip->has_arrived) NoteLost(*trip);
      trip->done = nullptr;
    }
  }
  bool idle() const { return trips_.empty(); }

  std::shared_ptr<Request> request;  // the request that is in Take() now

 private:
  void Arrive(Trip& trip) {
    trip.has_arrived = true;
    const Charge charge{.policy = &trip.key.policy(),
                        .key = trip.key.key(),
                        .cost = trip.cost,
                        .kind = trip.kind,
                        .booking = trip.booking ? &*trip.booking : nullptr};
    world_.store_->Take(
        {&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
        [&trip](absl::StatusOr<absl::Span<const Outcome>> outcomes) {
          trip.answer = (*outcomes)[0];
        });
    if (trip.request != nullptr) {
      trip.request->store_units = trip.cost;
      trip.request->charged_at = world_.clock_.Now();
    }
    if (trip.done == nullptr) NoteLost(trip);
  }

  void Answer(Trip& trip) {
    auto done = std::exchange(trip.done, nullptr);
    const Outcome outcome = *trip.answer;
    done(absl::MakeConstSpan(&outcome, 1));
  }

  void GiveUp(Trip& trip) {
    if (trip.has_arrived) NoteLost(trip);
    auto done = std::exchange(trip.done, nullptr);
    done(absl::UnavailableError("no answer in time"));
  }

  void NoteLost(const Trip& trip) {
    if (!trip.answer.ok() || !trip.answer->allowed || trip.cost < 0) return;
    world_.WindowOf(world_.clock_.Now()).lost += trip.cost;
  }

  LeaseSimulation& world_;
  std::list<std::unique_ptr<Trip>> trips_;
};

struct LeaseSimulation::Replica {
  explicit Replica(LeaseSimulation& world) : link(world) {}

  FakeClock clock;
  FakeLoop loop{clock};
  const std::unique_ptr<Metrics> metrics = NewMetrics();
  Link link;
  std::unique_ptr<LeaseStore> store;  // null while the replica is dead
  absl::Duration dies;
  absl::Duration lives_again;
  double rate = 0;
};

LeaseSimulation::LeaseSimulation(const SimulationPlan& plan)
    : plan_(plan), dice_(plan.seed), store_(NewMemoryStore(clock_, {})) {
  for (int i = 0; i < plan_.replicas; ++i) {
    auto& replica = *replicas_.emplace_back(std::make_unique<Replica>(*this));
    // The clocks of machines differ.
    replica.clock.Advance(absl::Milliseconds(Below(100'000)));
    replica.dies = absl::InfiniteDuration();
  }
}

LeaseSimulation::~LeaseSimulation() {
  for (const auto& replica : replicas_) replica->link.Die();
}

int64_t LeaseSimulation::share() const {
  return MulDivFloor(plan_.policy.limit, plan_.terms.max_share_ppm, 1'000'000);
}

WindowSum& LeaseSimulation::WindowOf(absl::Time at) {
  return windows_[absl::FromUnixNanos(
      WindowAt(plan_.policy, absl::ToUnixNanos(at)).start_ns)];
}

void LeaseSimulation::Admit(absl::Time at, int64_t units) {
  WindowOf(at).admitted += units;
  admitted_[at] += units;
}

void LeaseSimulation::Run() {
  for (absl::Duration passed; passed < plan_.length; passed += kStep) Step();
}

void LeaseSimulation::Step() {
  clock_.Advance(kStep);
  const absl::Duration now = clock_.Elapsed();
  const bool new_second = now % absl::Seconds(1) == absl::ZeroDuration();
  for (const auto& owned : replicas_) {
    Replica& replica = *owned;
    replica.clock.Advance(kStep);
    replica.link.Step();
    if (replica.store == nullptr && now >= replica.lives_again &&
        replica.link.idle()) {
      replica.store = NewLeaseStore(replica.link, replica.loop, replica.clock,
                                    *replica.metrics);
      if (plan_.mean_life > absl::ZeroDuration()) {
        replica.dies =
            now + plan_.mean_life * std::exponential_distribution<>()(dice_);
      }
    }
    if (replica.store == nullptr) continue;
    replica.loop.FireTimers();
    if (new_second || replica.rate == 0) {
      replica.rate = AnyRate();
    }
    for (int n = std::poisson_distribution<>(replica.rate)(dice_); n > 0; --n) {
      SendRequest(replica);
    }
    if (now >= replica.dies) Crash(replica);
  }
}

double LeaseSimulation::AnyRate() {
  const double rate = std::uniform_real_distribution<>(plan_.least_rate,
                                                       plan_.most_rate)(dice_);
  const bool is_calm = plan_.alternates &&
                       clock_.Elapsed() % absl::Seconds(2) < absl::Seconds(1);
  return is_calm ? rate / 10 : rate;
}

void LeaseSimulation::SendRequest(Replica& replica) {
  ++requests_;
  auto request = std::make_shared<Request>();
  request->sent_at = clock_.Now();
  request->cost = OneIn(5) ? 1 + Below(3) : 1;
  WindowOf(request->sent_at).offered += request->cost;
  struct Sent {
    LeaseTerms terms;
    Charge charge;
  };
  auto sent = std::make_shared<Sent>();
  sent->terms = plan_.terms;
  sent->charge = {.policy = &plan_.policy,
                  .key = {.scope = "test", .parts = kParts},
                  .cost = request->cost,
                  .lease = &sent->terms};
  replica.link.request = request;
  const Charge& charge = sent->charge;
  replica.store->Take(
      {&charge, 1}, Accounting::kAllOrNothing, absl::InfiniteFuture(),
      [this, request,
       sent](const absl::StatusOr<absl::Span<const Outcome>>& outcomes) {
        if (!outcomes.ok() || !(*outcomes)[0].allowed) return;
        // Leased units are used when the request is sent.
        Admit(request->sent_at, request->cost - request->store_units);
        if (request->store_units > 0) {
          Admit(request->charged_at, request->store_units);
        }
      });
  replica.link.request = nullptr;
}

void LeaseSimulation::Crash(Replica& replica) {
  ++crashes_;
  // At most this many units were leased and not used.
  WindowOf(clock_.Now()).lost += share();
  replica.link.Die();
  replica.store.reset();
  replica.dies = absl::InfiniteDuration();
  replica.lives_again = clock_.Elapsed() + absl::Milliseconds(Below(2000));
}

}  // namespace rls
