#ifndef RLS_STATSD_STATSD_SENDER_H_
#define RLS_STATSD_STATSD_SENDER_H_

#include <memory>

#include "absl/time/time.h"
#include "metrics/metrics.h"
#include "net/endpoint.h"
#include "statsd/statsd_lines.h"

namespace rls {

struct StatsdOptions {
  Endpoint server = {.host = "localhost", .port = 8125, .unix_path = ""};
  // True: DogStatsD over UDP. False: StatsD over TCP.
  bool is_dog = false;
  StatsdTags tags;
  absl::Duration interval = absl::Seconds(10);
};

// Sends the statistics to a StatsD server in each interval, and once more at
// its end. While the server is away, TCP sends nothing, so that the next
// connection gets all that was counted. UDP cannot notice it.
//
// A TCP connection that is lost or never made is opened anew, after 1 to 30 s.
// The bytes that a lost connection had not delivered are lost. If the server
// does not read, at most 4 MiB and the lines of one interval wait.
//
// ratelimitd_statsd_flushes_total{result} counts intervals: sent, or failed.
//
// Threads: a thread of its own. The destructor ends it.
class StatsdSender {
 public:
  virtual ~StatsdSender() = default;
};

// Lifetime: `metrics`, which must have statistics, must outlive the sender.
std::unique_ptr<StatsdSender> NewStatsdSender(const StatsdOptions& options,
                                              Metrics& metrics);

}  // namespace rls

#endif  // RLS_STATSD_STATSD_SENDER_H_
