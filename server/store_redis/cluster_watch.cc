#include "store_redis/cluster_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace rls {
namespace {

using std::chrono::milliseconds;

// Between enquiries: however much doubt there is, and when there is none.
constexpr milliseconds kLeastPause{100};
constexpr milliseconds kRegularPause{10'000};

std::vector<std::string> Questions() {
  return {Command({"CLUSTER", "INFO"}), Command({"CLUSTER", "SLOTS"})};
}

void AddOnce(const Endpoint& endpoint, std::vector<Endpoint>& endpoints) {
  if (std::find(endpoints.begin(), endpoints.end(), endpoint) ==
      endpoints.end()) {
    endpoints.push_back(endpoint);
  }
}

}  // namespace

ClusterWatch::ClusterWatch(const StreamParts& parts,
                           const RedisCredentials& credentials,
                           std::vector<Endpoint> seeds, Owner& owner)
    : loop_(parts.loop),
      seeds_(std::move(seeds)),
      owner_(owner),
      enquiry_(parts, credentials, Questions(), *this),
      timer_(parts.loop.NewTimer([this] { Ask(); })) {}

void ClusterWatch::Open() { Ask(); }

void ClusterWatch::Doubt() {
  if (enquiry_.running()) {
    doubted_ = true;
  } else {
    AskAt(std::max(loop_.Now(), earliest_));
  }
}

void ClusterWatch::AskAt(SteadyTime time) {
  if (time >= ask_at_) return;
  ask_at_ = time;
  timer_->Set(time);
}

// Each time another one first: nobody's word is the only one for long.
void ClusterWatch::Ask() {
  ask_at_ = SteadyTime::max();
  doubted_ = false;
  std::vector<Endpoint> nodes;
  for (const SlotRange& range : slots_) AddOnce(range.master, nodes);
  for (const Endpoint& seed : seeds_) AddOnce(seed, nodes);
  const size_t first = turn_++ % nodes.size();
  std::rotate(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(first),
              nodes.end());
  enquiry_.Start(std::move(nodes));
}

absl::Status ClusterWatch::OnAnswer(const Endpoint& from, size_t number,
                                    const ReplyView& reply) {
  if (reply.is_error()) return absl::UnavailableError(reply.text());
  if (number == 0) return ReadInfo(reply.text());
  absl::StatusOr<std::vector<SlotRange>> slots = ReadClusterSlots(reply, from);
  if (!slots.ok()) return slots.status();
  slots_ = *std::move(slots);
  return absl::OkStatus();
}

absl::Status ClusterWatch::ReadInfo(absl::string_view info) {
  bool well = false;
  int64_t epoch = -1;
  for (const absl::string_view line : absl::StrSplit(info, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (field.first == "cluster_state") well = field.second == "ok";
    if (field.first == "cluster_current_epoch" &&
        !absl::SimpleAtoi(field.second, &epoch)) {
      epoch = -1;
    }
  }
  if (!well) return absl::UnavailableError("the cluster is down");
  if (epoch < newest_epoch_) {
    return absl::UnavailableError("has missed a change of the cluster");
  }
  newest_epoch_ = epoch;
  return absl::OkStatus();
}

void ClusterWatch::OnOver(const absl::Status& status) {
  const SteadyTime now = loop_.Now();
  // Half of it is chance, so that not all of us ask at one time.
  std::uniform_int_distribution<int64_t> part(kLeastPause.count(),
                                              2 * kLeastPause.count());
  earliest_ = now + milliseconds(part(random_));
  AskAt(status.ok() && !doubted_ ? now + kRegularPause : earliest_);
  if (status.ok()) {
    owner_.OnSlots(slots_);
  } else {
    // A cluster that was set up anew counts from the beginning.
    newest_epoch_ = 0;
    owner_.OnNoSlots(status);
  }
}

}  // namespace rls
