#include "net/endpoint.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace rls {
namespace {

absl::Status Unreadable(absl::string_view text, absl::string_view why) {
  // Keeps a password as in "redis://user:password@host" out of the log.
  if (absl::StrContains(text, '@')) {
    return absl::InvalidArgumentError(
        "an address with \"@\" in it: expected host:port or a path, without "
        "user and password");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      Quoted(text), ": ", why, "; expected host:port, [v6]:port or a path"));
}

// A name as in DNS and /etc/hosts, and with "_", which container names have.
bool IsHostName(absl::string_view host) {
  constexpr size_t kMaxHostBytes = 253;  // RFC 1035
  return !host.empty() && host.size() <= kMaxHostBytes &&
         std::all_of(host.begin(), host.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return absl::ascii_isalnum(byte) || c == '.' || c == '-' || c == '_';
         });
}

// With or without a zone: "fe80::1%eth0".
bool IsV6Address(absl::string_view host) {
  const std::string address(host.substr(0, host.find('%')));
  in6_addr unused;
  return inet_pton(AF_INET6, address.c_str(), &unused) == 1 &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c));
         });
}

// 0 if `text` is not a port.
uint16_t ReadPort(absl::string_view text) {
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  uint32_t port = 0;
  if (!digits || !absl::SimpleAtoi(text, &port) || port > 65535) return 0;
  return static_cast<uint16_t>(port);
}

absl::StatusOr<Endpoint> ReadPath(absl::string_view text) {
  if (text.size() >= sizeof(sockaddr_un::sun_path)) {
    return Unreadable(
        text, absl::StrCat("a Unix socket's path has at most ",
                           sizeof(sockaddr_un::sun_path) - 1, " bytes"));
  }
  if (absl::StrContains(text, '\0')) return Unreadable(text, "a zero byte");
  Endpoint endpoint;
  endpoint.unix_path = std::string(text);
  return endpoint;
}

}  // namespace

std::string Endpoint::ToString() const {
  if (!unix_path.empty()) return unix_path;
  if (absl::StrContains(host, ':')) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text,
                                       uint16_t default_port) {
  if (absl::StartsWith(text, "/")) return ReadPath(text);
  if (IsV6Address(text)) {
    return Unreadable(text, "an IPv6 address needs brackets");
  }
  absl::string_view host = text;
  absl::string_view rest;  // after the host: "" or ":port"
  const bool bracketed = absl::StartsWith(text, "[");
  if (bracketed) {
    const size_t end = text.find(']');
    if (end == text.npos) return Unreadable(text, "\"]\" is missing");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else if (const size_t colon = text.find(':'); colon != text.npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (bracketed ? !IsV6Address(host) : !IsHostName(host)) {
    return Unreadable(
        text, bracketed ? "no IPv6 address in the brackets" : "no host name");
  }
  Endpoint endpoint;
  endpoint.host = std::string(host);
  endpoint.port = default_port;
  if (!rest.empty()) {
    endpoint.port = rest[0] == ':' ? ReadPort(rest.substr(1)) : uint16_t{0};
  }
  if (endpoint.port == 0) return Unreadable(text, "no port from 1 to 65535");
  return endpoint;
}

}  // namespace rls
