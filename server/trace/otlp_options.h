#ifndef RLS_TRACE_OTLP_OPTIONS_H_
#define RLS_TRACE_OTLP_OPTIONS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace rls {

inline constexpr size_t kMaxPemBytes = size_t{1} << 20;

enum class OtlpProtocol { kHttp, kGrpc };

// How the spans reach their collector.
struct OtlpOptions {
  OtlpProtocol protocol = OtlpProtocol::kHttp;
  // With kHttp, the URL that requests are posted to. With kGrpc, host:port.
  std::string endpoint = "http://localhost:4318/v1/traces";
  bool use_tls = false;  // with kGrpc; with kHttp the URL says it
  // Additional headers of each request. Their values may be secret.
  std::vector<std::pair<std::string, std::string>> headers;
  absl::Duration timeout = absl::Seconds(10);
  // Files of at most kMaxPemBytes.
  std::string ca_file;           // PEM; "": the system's authorities
  std::string certificate_file;  // "": no client certificate
  std::string key_file;
};

}  // namespace rls

#endif  // RLS_TRACE_OTLP_OPTIONS_H_
