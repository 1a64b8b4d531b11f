#include "http/http_refusals.h"

#include "absl/strings/str_cat.h"

namespace rls {
namespace {

struct Words {
  const char* label;
  const char* text;
};

// In the order of HttpReason.
constexpr Words kWords[kHttpReasons] = {
    {"framing", "refused a request that is no unambiguous HTTP/1.1"},
    {"head_too_large", "refused a request with a head over the limit"},
    {"body_too_large", "refused a request with a body over the limit"},
    {"head_too_slow", "refused a request whose head did not arrive in time"},
    {"body_too_slow", "refused a request whose body did not arrive in time"},
    {"answer_not_read", "closed a connection that did not read its answers"},
    {"too_many_waiting", "refused a request because too many are undecided"},
    {"memory", "closed the connection that held the most memory"},
    {"port_full", "closed a connection because the port has too many"},
    {"peer_full", "closed a connection because its peer has too many"},
};

}  // namespace

HttpRefusals::HttpRefusals(absl::string_view port, Metrics& metrics,
                           const Clock& clock)
    : port_(port) {
  for (size_t i = 0; i < kHttpReasons; ++i) {
    counters_[i] = &metrics.GetCounter(
        {.name = "ratelimitd_http_refused_total",
         .help = "Requests refused and connections closed by an HTTP port",
         .labels = {{"port", port_}, {"reason", kWords[i].label}}});
    logs_[i] = std::make_unique<LogThrottle>(clock, absl::Seconds(10));
  }
}

void HttpRefusals::Note(HttpReason reason, const PeerAddress& peer,
                        absl::string_view detail) {
  const auto index = static_cast<size_t>(reason);
  counters_[index]->Add(1);
  logs_[index]->Warn(absl::StrCat(port_, " port: ", kWords[index].text,
                                  detail.empty() ? "" : ": ", detail,
                                  "; client ", peer.ToString()));
}

}  // namespace rls
