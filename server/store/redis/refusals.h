#ifndef RLS_STORE_REDIS_REFUSALS_H_
#define RLS_STORE_REDIS_REFUSALS_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace rls {

class Pipeline;

// The reasons for which servers that answer refuse to work, for /ready: missing
// rights, no memory, a failed save and so on.
//
// Threads: every method may be called by many threads at once.
class Refusals {
 public:
  // The last error of a server is forgotten after this time. If gateways stop
  // calling a replica that is not ready, no take can show that the server works
  // again.
  static constexpr absl::Duration kErrorAge = absl::Seconds(10);

  explicit Refusals(const Clock& clock) : clock_(clock) {}
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;

  // The server of `from` has refused a script call.
  void SetError(const Pipeline* from, std::string error);
  // The server of `from` has run a script.
  void ClearError(const Pipeline* from);
  // The commands that the user of `from` has no right to run; "" if it has all
  // rights.
  void SetMissingRights(const Pipeline* from, std::string error);
  // The last attempt of `from` to connect has failed, or, with "", succeeded.
  void SetBroken(const Pipeline* from, std::string error);
  // `from` ends.
  void Forget(const Pipeline* from);

  // One of the reasons, or "".
  std::string Current() const;
  // The reason for which one of the servers is not connected, or "".
  std::string Broken() const;

 private:
  struct Refusal {
    std::string missing_rights;
    std::string broken;
    std::string error;
    absl::Duration error_at;  // Clock::Elapsed()
  };

  const Clock& clock_;
  mutable Mutex mutex_;
  absl::flat_hash_map<const Pipeline*, Refusal> refusals_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace rls

#endif  // RLS_STORE_REDIS_REFUSALS_H_
