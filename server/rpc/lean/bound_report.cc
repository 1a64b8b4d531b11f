#include "rpc/lean/bound_report.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace rls {
namespace {

constexpr absl::Duration kLogInterval = absl::Minutes(1);

struct Words {
  absl::string_view label;
  absl::string_view text;
};

// In the order of Bound.
constexpr Words kWords[] = {
    {"frames", "too many frames without a request"},
    {"headers", "too many bytes of headers"},
    {"streams", "too many open streams"},
    {"request_bytes", "too many bytes of unanswered requests"},
    {"response_bytes", "too many bytes of unread responses"},
    {"protocol", "too many HTTP/2 control frames in a row"},
};

const Words& WordsOf(size_t bound) { return kWords[bound]; }

}  // namespace

BoundReport::BoundReport(const Clock& clock, Metrics& metrics) {
  for (size_t i = 0; i < kBounds; ++i) {
    const Labels labels = {{"reason", std::string(WordsOf(i).label)}};
    refused_[i] = &metrics.GetCounter(
        {.name = "ratelimitd_http2_refused_calls_total",
         .help = "gRPC calls refused because a client exceeds a bound.",
         .labels = labels});
    ended_[i] = &metrics.GetCounter(
        {.name = "ratelimitd_http2_ended_connections_total",
         .help = "gRPC connections ended with ENHANCE_YOUR_CALM because a "
                 "client exceeds a bound.",
         .labels = labels});
    log_refused_[i] = std::make_unique<LogThrottle>(clock, kLogInterval);
    log_ended_[i] = std::make_unique<LogThrottle>(clock, kLogInterval);
  }
}

void BoundReport::CallRefused(Bound bound, const PeerAddress& peer) {
  const auto i = static_cast<size_t>(bound);
  refused_[i]->Add(1);
  log_refused_[i]->Warn(absl::StrCat("HTTP/2: refused a call of ",
                                     peer.ToString(), ": ", WordsOf(i).text));
}

void BoundReport::ConnectionEnded(Bound bound, const PeerAddress& peer) {
  const auto i = static_cast<size_t>(bound);
  ended_[i]->Add(1);
  log_ended_[i]->Warn(absl::StrCat("HTTP/2: ended a connection of ",
                                   peer.ToString(), ": ", WordsOf(i).text));
}

}  // namespace rls
