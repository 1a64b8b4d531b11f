#ifndef RLS_APP_ENVIRONMENT_H_
#define RLS_APP_ENVIRONMENT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "app/settings.h"
#include "app/shown_settings.h"
#include "config/load.h"

namespace rls {

// The boolean that Go's strconv.ParseBool reads, as envoyproxy/ratelimit does.
std::optional<bool> ParseBoolean(absl::string_view text);

// A duration with its unit, such as 30s or 24h; not negative, and not infinite.
std::optional<absl::Duration> ParseWait(absl::string_view text);

// The form of a variable with pairs.
struct PairFormat {
  char separator = '=';
  const char* expected = "key=value,key=value";  // for the error
  bool skips_empty = false;  // an empty pair is no error, as in "a=b,"
  bool is_secret = false;    // the error does not show the text
};

// Reads typed environment variables and keeps the first error. A variable that
// is unset or empty changes nothing. Every variable that is read is recorded
// with its value and origin, so --print-settings cannot miss a new one.
//
// A variable NAME_PORT with the value tcp://... or udp://... counts as not set:
// Kubernetes sets such service links for a Service called NAME.
class EnvironmentReader {
 public:
  explicit EnvironmentReader(const Environment& environment)
      : environment_(environment) {}

  // OK, or INVALID_ARGUMENT with the variable, the value found and the value
  // expected.
  absl::Status status() const { return status_; }

  // The value of a variable, recorded as it is. If the setting has a default,
  // use Read(), which also records the default.
  std::optional<std::string> Text(const char* name);

  void Read(const char* name, std::string& into);
  void ReadHeaderName(const char* name, std::string& into);
  void Read(const char* name, bool& into);
  void Read(const char* name, absl::Duration& into);  // not negative

  template <typename Number>
  void ReadNumber(const char* name, Number least, Number most, Number& into) {
    const auto value = Text(name);
    Number parsed = into;
    if (value.has_value() && (!absl::SimpleAtoi(*value, &parsed) ||
                              parsed < least || parsed > most)) {
      Fail(name, *value, absl::StrCat("a number from ", least, " to ", most));
      return;
    }
    into = parsed;
    ShowValue(name, absl::StrCat(into));
  }

  void ReadFraction(const char* name, double& into);  // from 0 to 1

  // Reads "key=value,key=value" in the form that `format` states. Blanks around
  // a key or a value do not count.
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  void ReadPairs(const char* name, const PairFormat& format, Pairs& into);

  // Reads the host and the port of an address from two variables.
  void ReadAddress(const char* host_name, const char* port_name,
                   std::string& into);

  void Fail(const char* name, absl::string_view found,
            absl::string_view expected);

  // Adds a line to warnings(): a setting without effect, or with a surprising
  // one.
  void Warn(std::string line) { warnings_.push_back(std::move(line)); }

  // The value of a variable, without recording it. Nullopt if it is unset or
  // empty or a service link.
  std::optional<std::string> Peek(const char* name);
  bool HasRead(const char* name) const { return shown_.count(name) != 0; }

  const ShownSettings& shown() const { return shown_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void ShowValue(const char* name, std::string value) {
    shown_[name].value = std::move(value);
  }

  const Environment& environment_;
  absl::Status status_;
  ShownSettings shown_;
  std::vector<std::string> warnings_;
};

// True if gRPC can send the header. With other bytes it ends the process.
bool IsMetadata(absl::string_view name, absl::string_view value);

// The by-products of reading the environment.
struct EnvironmentReport {
  ShownSettings shown;
  std::vector<std::string> warnings;  // for the log
};

// Applies the environment variables to `settings`. If envoyproxy/ratelimit has
// a variable for a setting, the name is the same. `settings.reference_name`
// decides some defaults.
//
// Failure: INVALID_ARGUMENT, naming the first bad variable.
absl::StatusOr<EnvironmentReport> ApplyEnvironment(
    const Environment& environment, Settings& settings);

}  // namespace rls

#endif  // RLS_APP_ENVIRONMENT_H_
