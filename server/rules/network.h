#ifndef RLS_RULES_NETWORK_H_
#define RLS_RULES_NETWORK_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is
// stored as IPv4.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  bool is_v4 = false;

  // The address with only its first `prefix` bits set: "203.0.113.0".
  std::string NetworkText(int prefix) const;
};

std::optional<IpAddress> ParseIpAddress(absl::string_view text);

// The bits of an address that form its network.
struct NetworkPrefixes {
  int ipv4 = 32;
  int ipv6 = 64;
};

// The address in `text` as gateways write it: with a port (10.0.0.1:80,
// [::1]:80), in brackets, or with a zone (fe80::1%eth0, RFC 4007). Returns
// `text` if that is of no such form.
absl::string_view BareAddress(absl::string_view text);

// The network of the address that BareAddress() finds. Nullopt if it is none.
std::optional<std::string> NetworkOf(absl::string_view text,
                                     const NetworkPrefixes& prefixes);

// A block of addresses in CIDR notation (RFC 4632), or a single address.
class Network {
 public:
  // Returns nullopt if `text` is not a network or an address. Ignores bits
  // beyond the prefix.
  static std::optional<Network> Parse(absl::string_view text);

  bool Contains(const IpAddress& address) const;

 private:
  IpAddress base_;
  int prefix_ = 0;
};

}  // namespace rls

#endif  // RLS_RULES_NETWORK_H_
