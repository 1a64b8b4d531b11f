#ifndef RLS_APP_ENVIRONMENT_H_
#define RLS_APP_ENVIRONMENT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "app/settings.h"
#include "config/load.h"

namespace rls {

// Reads typed environment variables and keeps the first error. A variable that
// is unset or empty changes nothing.
class EnvironmentReader {
 public:
  explicit EnvironmentReader(const Environment& environment)
      : environment_(environment) {}

  // OK, or INVALID_ARGUMENT with the variable, the value found and the value
  // expected.
  absl::Status status() const { return status_; }

  std::optional<std::string> Text(const char* name) const;

  void Read(const char* name, std::string& into) const;
  void ReadHeaderName(const char* name, std::string& into);
  void Read(const char* name, bool& into);
  void Read(const char* name, absl::Duration& into);  // not negative

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

  // Reads the host and the port of an address from two variables.
  void ReadAddress(const char* host_name, const char* port_name,
                   std::string& into);

  void Fail(const char* name, absl::string_view found,
            absl::string_view expected);

 private:
  const Environment& environment_;
  absl::Status status_;
};

// Applies the environment variables to `settings`. If envoyproxy/ratelimit has
// a variable for a setting, the name is the same.
//
// Failure: INVALID_ARGUMENT, naming the first bad variable.
absl::Status ApplyEnvironment(const Environment& environment,
                              Settings& settings);

}  // namespace rls

#endif  // RLS_APP_ENVIRONMENT_H_
