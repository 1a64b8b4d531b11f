#include "app/environment_reader.h"

#include <utility>

#include "base/text.h"

namespace rls {

std::optional<std::string> EnvironmentReader::Text(const char* name) const {
  std::optional<std::string> value = environment_(name);
  if (value.has_value() && value->empty()) return std::nullopt;
  return value;
}

void EnvironmentReader::Read(const char* name, std::string& into) const {
  if (auto value = Text(name)) into = *std::move(value);
}

void EnvironmentReader::ReadHeaderName(const char* name, std::string& into) {
  const auto value = Text(name);
  if (!value.has_value()) return;
  if (!IsHeaderName(*value)) {
    Fail(name, *value, "the name of a header");
    return;
  }
  into = *value;
}

void EnvironmentReader::Read(const char* name, bool& into) {
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

void EnvironmentReader::Read(const char* name, absl::Duration& into) {
  const auto value = Text(name);
  if (!value.has_value()) return;
  absl::Duration parsed;
  if (!absl::ParseDuration(*value, &parsed) || parsed < absl::ZeroDuration()) {
    Fail(name, *value, "a duration with its unit, such as 30s or 24h");
    return;
  }
  into = parsed;
}

void EnvironmentReader::ReadAddress(const char* host_name,
                                    const char* port_name, std::string& into) {
  const size_t colon = into.rfind(':');
  std::string host = into.substr(0, colon);
  int port = 0;
  (void)absl::SimpleAtoi(into.substr(colon + 1), &port);  // ours, valid
  Read(host_name, host);
  ReadNumber(port_name, 0, 65535, port);
  const bool bare_ipv6 = host.find(':') != std::string::npos && host[0] != '[';
  into = bare_ipv6 ? absl::StrCat("[", host, "]:", port)
                   : absl::StrCat(host, ":", port);
}

void EnvironmentReader::Fail(const char* name, absl::string_view found,
                             absl::string_view expected) {
  status_.Update(absl::InvalidArgumentError(
      absl::StrCat(name, ": found ", Quoted(found), ", expected ", expected)));
}

}  // namespace rls
