#ifndef RLS_XDS_XDS_CHANNEL_H_
#define RLS_XDS_XDS_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "xds/xds_client.h"

namespace rls {

// Makes the channels of a client: a new one for each stream, so that each
// stream uses the current files of TLS and the current addresses of the name.
//
// Threads: one thread at a time.
// Lifetime: `options` and `clock` must outlive it.
class XdsChannels {
 public:
  XdsChannels(const XdsOptions& options, const Clock& clock)
      : options_(options), throttle_(clock, absl::Minutes(1)) {}

  // Failure: the files of TLS cannot be used, and could never be used before.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> New();

 private:
  // The contents of the files of TLS.
  struct Files {
    std::string ca;
    std::string certificate;
    std::string key;

    friend bool operator==(const Files&, const Files&) = default;
  };

  static absl::StatusOr<Files> ReadFiles(const TlsOptions& tls);
  static absl::StatusOr<Files> ReadUsableFiles(const TlsOptions& tls);

  const XdsOptions& options_;
  std::optional<Files> files_;  // the last usable contents
  LogThrottle throttle_;
};

}  // namespace rls

#endif  // RLS_XDS_XDS_CHANNEL_H_
