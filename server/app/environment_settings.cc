#include "app/environment_settings.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace rls {
namespace {

// Reads typed variables; the first bad one is kept.
class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  absl::Status status() const { return status_; }

  std::optional<std::string> Text(const char* name) const {
    std::optional<std::string> value = environment_(name);
    if (value.has_value() && value->empty()) return std::nullopt;
    return value;
  }

  void Read(const char* name, std::string& into) {
    if (auto value = Text(name)) into = *std::move(value);
  }

  void Read(const char* name, bool& into) {
    const auto value = Text(name);
    if (!value.has_value()) return;
    for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
      if (*value == yes) {
        into = true;
        return;
      }
    }
    for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
      if (*value == no) {
        into = false;
        return;
      }
    }
    Fail(name, *value, "true or false");
  }

  void Read(const char* name, absl::Duration& into) {
    const auto value = Text(name);
    if (!value.has_value()) return;
    absl::Duration parsed;
    if (!absl::ParseDuration(*value, &parsed) ||
        parsed < absl::ZeroDuration()) {
      Fail(name, *value, "a duration with its unit, such as 30s or 24h");
      return;
    }
    into = parsed;
  }

  template <typename Number>
  void ReadNumber(const char* name, Number least, Number most, Number& into) {
    const auto value = Text(name);
    if (!value.has_value()) return;
    Number parsed = 0;
    if (!absl::SimpleAtoi(*value, &parsed) || parsed < least || parsed > most) {
      Fail(name, *value, absl::StrCat("a number from ", least, " to ", most));
      return;
    }
    into = parsed;
  }

  // HOST and PORT variables that together change an address.
  void ReadAddress(const char* host_name, const char* port_name,
                   std::string& into) {
    const size_t colon = into.rfind(':');
    std::string host = into.substr(0, colon);
    int port = 0;
    (void)absl::SimpleAtoi(into.substr(colon + 1), &port);  // ours, valid
    Read(host_name, host);
    ReadNumber(port_name, 0, 65535, port);
    const bool bare_ipv6 =
        host.find(':') != std::string::npos && host[0] != '[';
    into = bare_ipv6 ? absl::StrCat("[", host, "]:", port)
                     : absl::StrCat(host, ":", port);
  }

 private:
  void Fail(const char* name, absl::string_view found,
            absl::string_view expected) {
    status_.Update(absl::InvalidArgumentError(absl::StrCat(
        name, ": found ", Quoted(found), ", expected ", expected)));
  }

  const Environment& environment_;
  absl::Status status_;
};

}  // namespace

absl::Status ApplyEnvironment(const Environment& environment,
                              Settings& settings) {
  Reader reader(environment);
  reader.ReadAddress("GRPC_HOST", "GRPC_PORT", settings.grpc.address);
  reader.ReadAddress("HOST", "PORT", settings.admin.http_address);
  reader.ReadAddress("DEBUG_HOST", "DEBUG_PORT", settings.admin.debug_address);
  reader.Read("LOG_LEVEL", settings.log_level);

  reader.ReadNumber("GRPC_THREADS", 1, 1024, settings.grpc.threads);
  reader.ReadNumber("GRPC_MAX_REQUEST_BYTES", 1024, 64 << 20,
                    settings.grpc.max_request_bytes);
  reader.Read("GRPC_MAX_CONNECTION_AGE", settings.grpc.max_connection_age);
  reader.Read("GRPC_MAX_CONNECTION_AGE_GRACE",
              settings.grpc.max_connection_age_grace);
  reader.Read("GRPC_KEEPALIVE_TIME", settings.grpc.keepalive_time);
  reader.Read("GRPC_KEEPALIVE_TIMEOUT", settings.grpc.keepalive_timeout);

  reader.Read("LIMIT_RESPONSE_HEADERS_ENABLED", settings.answers.headers);
  reader.Read("LIMIT_LIMIT_HEADER", settings.answers.limit_header);
  reader.Read("LIMIT_REMAINING_HEADER", settings.answers.remaining_header);
  reader.Read("LIMIT_RESET_HEADER", settings.answers.reset_header);
  reader.Read("RESPONSE_DYNAMIC_METADATA", settings.answers.dynamic_metadata);

  reader.ReadNumber<size_t>("MAX_COUNTERS", 1, size_t{1} << 31,
                            settings.max_counters);
  reader.Read("DRAIN_TIME", settings.drain_time);

  // The folder that envoyproxy/ratelimit would read.
  if (const auto root = reader.Text("RUNTIME_ROOT")) {
    std::vector<std::string> parts = {*root};
    if (auto sub = reader.Text("RUNTIME_SUBDIRECTORY")) parts.push_back(*sub);
    parts.push_back(reader.Text("RUNTIME_APPDIRECTORY").value_or("config"));
    settings.config_paths = {absl::StrJoin(parts, "/")};
  }
  return reader.status();
}

}  // namespace rls
