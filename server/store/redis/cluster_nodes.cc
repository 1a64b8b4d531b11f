#include "store/redis/cluster_nodes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rls {
namespace {

using std::chrono::milliseconds;

// The pauses between enquiries: at least kLeastPause if the map is in doubt,
// otherwise kRegularPause.
constexpr milliseconds kLeastPause{100};
constexpr milliseconds kRegularPause{10'000};

std::vector<std::string> ClusterCommands() {
  return {Command({"CLUSTER", "INFO"}), Command({"CLUSTER", "SLOTS"})};
}

// Adds the endpoint unless it is already there.
void AddOnce(const Endpoint& endpoint, std::vector<Endpoint>& endpoints) {
  if (std::find(endpoints.begin(), endpoints.end(), endpoint) ==
      endpoints.end()) {
    endpoints.push_back(endpoint);
  }
}

// A master without slots stays connected for this number of readings of the
// map: slots may be about to move to it.
constexpr int kMaxRoundsWithoutSlots = 3;

// CRC-16/XMODEM, a byte at a time.
constexpr std::array<uint16_t, 256> MakeCrcTable() {
  constexpr uint32_t kPolynomial = 0x1021;
  std::array<uint16_t, 256> table = {};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? kPolynomial : 0);
    }
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}

constexpr std::array<uint16_t, 256> kCrcTable = MakeCrcTable();

uint32_t Crc16(absl::string_view text) {
  uint32_t crc = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    crc = ((crc << 8) & 0xffff) ^ kCrcTable[(crc >> 8) ^ byte];
  }
  return crc;
}

// -1 if the reply is no slot.
int ReadSlot(const ReplyView& reply) {
  const int64_t slot = reply.integer().value_or(-1);
  return slot < 0 || slot >= kClusterSlots ? -1 : static_cast<int>(slot);
}

// Reads a node as CLUSTER SLOTS writes it: host and port come first.
std::optional<Endpoint> ReadNode(const ReplyView& node, const Endpoint& from) {
  if (node.size() < 2) return std::nullopt;
  const int64_t port = node[1].integer().value_or(0);
  if (port <= 0 || port > UINT16_MAX) return std::nullopt;
  const absl::string_view host = node[0].text();
  // "?" stands for a host name that is missing from the node's configuration.
  const bool unknown = host.empty() || host == "?";
  return Endpoint{.host = unknown ? from.host : std::string(host),
                  .port = static_cast<uint16_t>(port)};
}

}  // namespace

int ClusterSlotOf(absl::string_view key) {
  const size_t open = key.find('{');
  if (open != key.npos) {
    const size_t close = key.find('}', open + 1);
    if (close != key.npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return static_cast<int>(Crc16(key) % kClusterSlots);
}

absl::StatusOr<std::vector<SlotRange>> ReadClusterSlots(const ReplyView& reply,
                                                        const Endpoint& from) {
  std::vector<SlotRange> ranges;
  for (size_t i = 0; i < reply.size(); ++i) {
    const ReplyView range = reply[i];
    if (range.size() < 3) {
      return absl::UnavailableError("not a valid reply to CLUSTER SLOTS");
    }
    const int first = ReadSlot(range[0]);
    const int last = ReadSlot(range[1]);
    std::optional<Endpoint> master = ReadNode(range[2], from);
    if (first < 0 || last < first || !master.has_value()) {
      return absl::UnavailableError("not a valid reply to CLUSTER SLOTS");
    }
    ranges.push_back(
        {.first = first, .last = last, .master = *std::move(master)});
  }
  if (ranges.empty()) return absl::UnavailableError("has no slots");
  return ranges;
}

std::optional<Redirection> ReadRedirection(absl::string_view error,
                                           const Endpoint& from) {
  const std::vector<absl::string_view> words = absl::StrSplit(error, ' ');
  Redirection redirection;
  if (words.size() != 3 || (words[0] != "MOVED" && words[0] != "ASK") ||
      !absl::SimpleAtoi(words[1], &redirection.slot) || redirection.slot < 0 ||
      redirection.slot >= kClusterSlots) {
    return std::nullopt;
  }
  redirection.permanent = words[0] == "MOVED";
  // The format is host:port. An IPv6 address has no brackets. An unknown host
  // is empty.
  const size_t colon = words[2].rfind(':');
  uint32_t port = 0;
  if (colon == words[2].npos ||
      !absl::SimpleAtoi(words[2].substr(colon + 1), &port) || port == 0 ||
      port > UINT16_MAX) {
    return std::nullopt;
  }
  const absl::string_view host = words[2].substr(0, colon);
  redirection.to = {
      .host = std::string(host.empty() || host == "?" ? from.host : host),
      .port = static_cast<uint16_t>(port)};
  return redirection;
}

ClusterWatch::ClusterWatch(const StreamDependencies& parts,
                           const RedisCredentials& credentials,
                           std::vector<Endpoint> seeds, Owner& owner)
    : loop_(parts.loop),
      seeds_(std::move(seeds)),
      owner_(owner),
      enquiry_(parts, credentials, ClusterCommands(), *this),
      timer_(parts.loop.NewTimer([this] { ReadMap(); })) {}

void ClusterWatch::Open() { ReadMap(); }

void ClusterWatch::Doubt() {
  if (enquiry_.running()) {
    doubted_ = true;
  } else {
    ReadMapBy(std::max(loop_.Now(), earliest_));
  }
}

void ClusterWatch::ReadMapBy(SteadyTime time) {
  if (time >= next_at_) return;
  next_at_ = time;
  timer_->Set(time);
}

// Begins with another node each time, so that a wrong node is corrected soon.
void ClusterWatch::ReadMap() {
  next_at_ = SteadyTime::max();
  doubted_ = false;
  std::vector<Endpoint> nodes;
  for (const SlotRange& range : slots_) AddOnce(range.master, nodes);
  for (const Endpoint& seed : seeds_) AddOnce(seed, nodes);
  const size_t first = turn_++ % nodes.size();
  std::rotate(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(first),
              nodes.end());
  enquiry_.Start(std::move(nodes));
}

absl::Status ClusterWatch::OnReply(const Endpoint& from, size_t number,
                                   const ReplyView& reply) {
  if (reply.is_error()) return absl::UnavailableError(reply.text());
  if (number == 0) return ReadInfo(reply.text());
  absl::StatusOr<std::vector<SlotRange>> slots = ReadClusterSlots(reply, from);
  if (!slots.ok()) return slots.status();
  slots_ = *std::move(slots);
  return absl::OkStatus();
}

absl::Status ClusterWatch::ReadInfo(absl::string_view info) {
  bool healthy = false;
  int64_t epoch = -1;
  for (const absl::string_view line : absl::StrSplit(info, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (field.first == "cluster_state") healthy = field.second == "ok";
    if (field.first == "cluster_current_epoch" &&
        !absl::SimpleAtoi(field.second, &epoch)) {
      epoch = -1;
    }
  }
  if (!healthy) return absl::UnavailableError("the cluster is down");
  if (epoch < newest_epoch_) {
    return absl::UnavailableError("has missed a change of the cluster");
  }
  newest_epoch_ = epoch;
  return absl::OkStatus();
}

void ClusterWatch::OnOver(const absl::Status& status) {
  const SteadyTime now = loop_.Now();
  // The random half of the pause spreads the enquiries of all replicas.
  std::uniform_int_distribution<int64_t> pause(kLeastPause.count(),
                                               2 * kLeastPause.count());
  earliest_ = now + milliseconds(pause(random_));
  ReadMapBy(status.ok() && !doubted_ ? now + kRegularPause : earliest_);
  if (status.ok()) {
    owner_.OnSlots(slots_);
  } else {
    // The cluster may have been reinstalled: its epochs begin at 0 again.
    newest_epoch_ = 0;
    owner_.OnNoSlots(status);
  }
}

struct ClusterNodes::Node {
  Node(const PipelineDependencies& dependencies, const Endpoint& endpoint,
       PipelineOwner* owner)
      : pipeline(dependencies, NewConstantSource(endpoint), owner) {}

  Pipeline pipeline;
  bool has_slots = false;
  int rounds_without = 0;
};

ClusterNodes::ClusterNodes(const PipelineDependencies& dependencies,
                           PipelineOwner& owner)
    : dependencies_(dependencies),
      owner_(owner),
      node_of_(kClusterSlots, nullptr) {}

ClusterNodes::~ClusterNodes() = default;

void ClusterNodes::UpdateUsable() {
  bool any = false;
  bool has_masters = false;
  bool tried = true;
  for (const auto& [endpoint, node] : nodes_) {
    if (!node->has_slots) continue;
    has_masters = true;
    any |= node->pipeline.usable();
    tried &= node->pipeline.attempted();
  }
  all_tried_ |= any && tried;
  usable_.store(any && all_tried_, std::memory_order_relaxed);
  // After usable_: a thread that sees ended attempts sees their success.
  if (has_masters && tried) tried_.store(true, std::memory_order_release);
}

Pipeline* ClusterNodes::WithSlot(int slot) const {
  Node* const node = node_of_[static_cast<size_t>(slot)];
  return node == nullptr ? nullptr : &node->pipeline;
}

Pipeline* ClusterNodes::At(const Endpoint& endpoint) {
  Node* const node = NodeAt(endpoint);
  return node == nullptr ? nullptr : &node->pipeline;
}

bool ClusterNodes::HasSlots(const Pipeline& pipeline) const {
  const auto it = nodes_.find(pipeline.endpoint());
  return it != nodes_.end() && it->second->has_slots;
}

void ClusterNodes::MoveSlot(int slot, const Endpoint& to) {
  Node* const node = NodeAt(to);
  if (node == nullptr) return;
  node->has_slots = true;
  node_of_[static_cast<size_t>(slot)] = node;
}

void ClusterNodes::Assign(const std::vector<SlotRange>& slots) {
  std::fill(node_of_.begin(), node_of_.end(), nullptr);
  for (const auto& [endpoint, node] : nodes_) node->has_slots = false;
  for (const SlotRange& range : slots) {
    Node* const node = NodeAt(range.master);
    if (node == nullptr) continue;
    node->has_slots = true;
    std::fill(node_of_.begin() + range.first, node_of_.begin() + range.last + 1,
              node);
  }
  absl::erase_if(nodes_, [](const auto& entry) {
    Node& node = *entry.second;
    node.rounds_without = node.has_slots ? 0 : node.rounds_without + 1;
    return node.rounds_without > kMaxRoundsWithoutSlots && node.pipeline.idle();
  });
  UpdateUsable();
}

void ClusterNodes::Flush() {
  for (const auto& [endpoint, node] : nodes_) node->pipeline.Flush();
}

ClusterNodes::Node* ClusterNodes::NodeAt(const Endpoint& endpoint) {
  const auto it = nodes_.find(endpoint);
  if (it != nodes_.end()) return it->second.get();
  if (nodes_.size() == kMaxNodes) return nullptr;
  auto made = std::make_unique<Node>(dependencies_, endpoint, &owner_);
  Node* const node = made.get();
  nodes_.emplace(endpoint, std::move(made));
  node->pipeline.Open();
  return node;
}

}  // namespace rls
