#include "store_redis/cluster_slots.h"

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rls {
namespace {

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

// -1 when it is none.
int ReadSlot(const ReplyView& reply) {
  const int64_t slot = reply.integer().value_or(-1);
  return slot < 0 || slot >= kClusterSlots ? -1 : static_cast<int>(slot);
}

// A master as CLUSTER SLOTS names it: host and port first.
std::optional<Endpoint> ReadNode(const ReplyView& node, const Endpoint& from) {
  if (node.size() < 2) return std::nullopt;
  const int64_t port = node[1].integer().value_or(0);
  if (port <= 0 || port > UINT16_MAX) return std::nullopt;
  const absl::string_view host = node[0].text();
  // "?" is a host name that a node should have been given and was not.
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
      return absl::UnavailableError("no answer to CLUSTER SLOTS");
    }
    const int first = ReadSlot(range[0]);
    const int last = ReadSlot(range[1]);
    std::optional<Endpoint> master = ReadNode(range[2], from);
    if (first < 0 || last < first || !master.has_value()) {
      return absl::UnavailableError("no answer to CLUSTER SLOTS");
    }
    ranges.push_back(
        {.first = first, .last = last, .master = *std::move(master)});
  }
  if (ranges.empty()) return absl::UnavailableError("knows of no slots");
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
  redirection.for_good = words[0] == "MOVED";
  // host:port; an IPv6 address has no brackets, and an unknown host is empty.
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

}  // namespace rls
