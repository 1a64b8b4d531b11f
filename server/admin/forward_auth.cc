#include "admin/forward_auth.h"

#include <deque>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "rpc/ask.h"

namespace rls {
namespace {

// nginx reads all headers of a sub-request's answer into one page of 4 KiB.
constexpr size_t kMaxBodyInHeader = 2 << 10;

// The first header of the entry that is there and says something.
std::string ValueOf(const HeaderEntry& entry,
                    const ForwardAuth::HeaderReader& read) {
  for (const std::string& name : entry.headers) {
    std::string value = read(name);
    // Each hop appends the peer it has seen: only the last one was written by
    // the gateway, all others may be the client's.
    if (absl::EqualsIgnoreCase(name, "X-Forwarded-For")) {
      value.erase(0, value.rfind(',') + 1);
      absl::StripAsciiWhitespace(&value);
    }
    if (!value.empty()) return value;
  }
  return "";
}

}  // namespace

absl::StatusOr<ForwardAuth> ForwardAuth::Make(ForwardAuthSettings settings,
                                              RateLimitHandler& handler) {
  auto descriptors = ParseHeaderDescriptors(settings.descriptors);
  if (!descriptors.ok()) return descriptors.status();
  return ForwardAuth(std::move(settings), *std::move(descriptors), handler);
}

ForwardAuth::ForwardAuth(ForwardAuthSettings settings,
                         std::vector<std::vector<HeaderEntry>> descriptors,
                         RateLimitHandler& handler)
    : settings_(std::move(settings)),
      descriptors_(std::move(descriptors)),
      handler_(&handler) {}

// A descriptor without any of its headers is sent too, with no entry: the tiers
// judge it as nobody, and no request goes by unseen.
std::string ForwardAuth::RequestOf(const HeaderReader& read) const {
  std::deque<std::string> values;  // the entries are views of them
  std::vector<PlainDescriptor> descriptors;
  for (const std::vector<HeaderEntry>& entries : descriptors_) {
    PlainDescriptor& descriptor = descriptors.emplace_back();
    for (const HeaderEntry& entry : entries) {
      std::string value = ValueOf(entry, read);
      if (value.empty()) continue;
      descriptor.push_back({entry.key, values.emplace_back(std::move(value))});
    }
  }
  return WriteRequest(settings_.domain, descriptors);
}

absl::StatusOr<ForwardAuth::Answer> ForwardAuth::Decide(
    const HeaderReader& read, bool body_as_header) const {
  const std::string request = RequestOf(read);
  const RateLimitHandler::Reply reply =
      Ask(*handler_, request, absl::Now() + settings_.timeout);
  if (!reply.status.ok()) return reply.status;
  absl::StatusOr<PlainAnswer> plain = ReadAnswer(reply.response);
  if (!plain.ok()) return plain.status();
  Answer answer{.over_limit = reply.over_limit,
                .headers = std::move(plain->response_headers),
                .body = std::move(plain->body)};
  // The gateway copies those it knows into the request that it sends on.
  for (PlainHeader& header : plain->request_headers) {
    answer.headers.push_back(std::move(header));
  }
  if (body_as_header && !answer.body.empty() &&
      answer.body.size() <= kMaxBodyInHeader) {
    answer.headers.push_back({"RateLimit-Body", answer.body});
  }
  return answer;
}

}  // namespace rls
