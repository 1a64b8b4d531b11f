// The bytes of a Redis connection, and the replies that describe a cluster.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "store/redis/cluster_nodes.h"
#include "store/redis/reply.h"

namespace rls {
namespace {

const Endpoint& Sender() {
  static const auto& sender = *new Endpoint{.host = "sender", .port = 6379};
  return sender;
}

void Describe(const ReplyView& reply, std::string& out) {
  absl::StrAppend(&out, reply.is_error() ? "error " : "", reply.error_code(),
                  "/", reply.text(), "/", reply.integer().value_or(-7),
                  reply.Field("role"), "[");
  for (size_t i = 0; i < reply.size(); ++i) Describe(reply[i], out);
  out += "]";
}

void CheckClusterSlots(const ReplyView& reply) {
  const auto slots = ReadClusterSlots(reply, Sender());
  if (!slots.ok()) return;
  Require(!slots->empty(), "a cluster has slots");
  for (const SlotRange& range : *slots) {
    Require(range.first >= 0 && range.first <= range.last &&
                range.last < kClusterSlots,
            "a slot is within its bounds");
  }
}

void CheckRedirection(const ReplyView& reply) {
  const auto redirection = ReadRedirection(reply.text(), Sender());
  if (!redirection.has_value()) return;
  Require(redirection->slot >= 0 && redirection->slot < kClusterSlots,
          "a slot is within its bounds");
}

// The replies in `bytes`, which arrive in portions.
std::string Replies(absl::string_view bytes, size_t portion) {
  ReplyReader reader;
  std::string all;
  while (!bytes.empty()) {
    reader.Feed(bytes.substr(0, portion));
    bytes.remove_prefix(std::min(portion, bytes.size()));
    while (true) {
      const absl::StatusOr<ReplyReader::Owned> reply = reader.Next();
      if (!reply.ok()) return absl::StrCat(all, "malformed");
      if (*reply == nullptr) break;
      const ReplyView view(reply->get());
      Describe(view, all);
      CheckClusterSlots(view);
      CheckRedirection(view);
    }
  }
  return all;
}

}  // namespace

void FuzzRedisReply(const uint8_t* bytes, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  Require(Replies(text, text.size()) == Replies(text, 1),
          "the size of the portions does not change the replies");
}

}  // namespace rls
