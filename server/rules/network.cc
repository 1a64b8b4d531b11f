#include "rules/network.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace rls {
namespace {

constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;
// Bytes before the IPv4 address in an IPv4-mapped address.
constexpr size_t kMapped = 12;

IpAddress Masked(const IpAddress& address, int prefix) {
  IpAddress masked = address;
  const size_t size = address.is_v4 ? 4 : 16;
  for (size_t i = 0; i < size; ++i) {
    const int bits = std::clamp(prefix - static_cast<int>(8 * i), 0, 8);
    masked.bytes[i] &= static_cast<uint8_t>(0xff00 >> bits);
  }
  return masked;
}

}  // namespace

std::string IpAddress::NetworkText(int prefix) const {
  const IpAddress masked = Masked(*this, prefix);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4 ? AF_INET : AF_INET6, masked.bytes.data(), text,
            sizeof(text));
  return text;
}

std::optional<IpAddress> ParseIpAddress(absl::string_view text) {
  if (text.find('\0') != text.npos) return std::nullopt;
  const std::string owned(text);
  IpAddress address;
  if (inet_pton(AF_INET, owned.c_str(), address.bytes.data()) == 1) {
    address.is_v4 = true;
    return address;
  }
  if (inet_pton(AF_INET6, owned.c_str(), address.bytes.data()) != 1) {
    return std::nullopt;
  }
  constexpr std::array<uint8_t, kMapped> kPrefix = {0, 0, 0, 0, 0,    0,
                                                    0, 0, 0, 0, 0xff, 0xff};
  auto& bytes = address.bytes;
  if (std::equal(kPrefix.begin(), kPrefix.end(), bytes.begin())) {
    std::copy(bytes.begin() + kMapped, bytes.end(), bytes.begin());
    std::fill(bytes.begin() + 4, bytes.end(), uint8_t{0});
    address.is_v4 = true;
  }
  return address;
}

absl::string_view BareAddress(absl::string_view text) {
  absl::string_view host = text;
  absl::string_view port;
  if (absl::ConsumePrefix(&host, "[")) {
    const size_t end = host.find(']');
    if (end == host.npos) return text;
    port = host.substr(end + 1);
    host = host.substr(0, end);
  } else if (const size_t colon = host.find(':');
             colon != host.npos && colon == host.rfind(':')) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  uint32_t number = 0;
  if (absl::ConsumePrefix(&port, ":")) {
    if (!absl::SimpleAtoi(port, &number) || number > UINT16_MAX) return text;
  } else if (!port.empty()) {
    return text;
  }
  // An IPv4 address has no zone.
  const size_t zone = host.find('%');
  if (zone != host.npos && host.find(':') < zone) host = host.substr(0, zone);
  return host.size() == text.size() || ParseIpAddress(host) ? host : text;
}

std::optional<std::string> NetworkOf(absl::string_view text,
                                     const NetworkPrefixes& prefixes) {
  const auto address = ParseIpAddress(BareAddress(text));
  if (!address.has_value()) return std::nullopt;
  return address->NetworkText(address->is_v4 ? prefixes.ipv4 : prefixes.ipv6);
}

std::optional<Network> Network::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  const auto base = ParseIpAddress(text.substr(0, slash));
  if (!base.has_value()) return std::nullopt;
  Network network;
  network.prefix_ = base->is_v4 ? kV4Bits : kV6Bits;
  if (slash != text.npos) {
    int prefix = -1;
    if (!absl::SimpleAtoi(text.substr(slash + 1), &prefix)) return std::nullopt;
    const bool is_mapped = base->is_v4 && text.find(':') != text.npos;
    if (is_mapped) prefix -= kV6Bits - kV4Bits;
    if (prefix < 0 || prefix > network.prefix_) {
      return std::nullopt;
    }
    network.prefix_ = prefix;
  }
  network.base_ = Masked(*base, network.prefix_);
  return network;
}

bool Network::Contains(const IpAddress& address) const {
  return address.is_v4 == base_.is_v4 &&
         Masked(address, prefix_).bytes == base_.bytes;
}

}  // namespace rls
