#ifndef RLS_RULES_NETWORK_H_
#define RLS_RULES_NETWORK_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace rls {

// An IPv4 or IPv6 address; an IPv4-mapped one (RFC 4291, 2.5.5.2) is IPv4.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  bool is_v4 = false;

  // Its first `prefix` bits, as an address: "203.0.113.0".
  std::string NetworkText(int prefix) const;
};

std::optional<IpAddress> ParseIpAddress(absl::string_view text);

// A block of addresses in CIDR notation (RFC 4632), or one address.
class Network {
 public:
  // None for text that is neither; bits beyond the prefix do not matter.
  static std::optional<Network> Parse(absl::string_view text);

  bool Contains(const IpAddress& address) const;

 private:
  IpAddress base_;
  int prefix_ = 0;
};

}  // namespace rls

#endif  // RLS_RULES_NETWORK_H_
