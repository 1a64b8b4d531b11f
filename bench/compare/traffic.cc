#include "compare/traffic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace rls {
namespace {

constexpr size_t kDrawn = size_t{1} << 20;
constexpr size_t kPrefixBytes = 5;
// The greatest length that takes one byte on the wire.
constexpr size_t kMaxShort = 127;

std::vector<uint32_t> Draw(const TrafficSettings& settings, uint32_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> drawn(kDrawn);
  if (settings.zipf == 0) {
    std::uniform_int_distribution<uint32_t> any(0, settings.keys - 1);
    for (uint32_t& key : drawn) key = any(random);
    return drawn;
  }
  std::vector<double> sums(settings.keys);
  double sum = 0;
  for (uint32_t key = 0; key < settings.keys; ++key) {
    sums[key] = sum += std::pow(key + 1, -settings.zipf);
  }
  std::uniform_real_distribution<double> place(0, sum);
  for (uint32_t& key : drawn) {
    const auto found =
        std::upper_bound(sums.begin(), sums.end(), place(random));
    key = std::min(static_cast<uint32_t>(found - sums.begin()),
                   settings.keys - 1);
  }
  return drawn;
}

// Appends a length-delimited field. `number` must be less than 16.
void AppendField(std::string& out, int number, absl::string_view bytes) {
  out += static_cast<char>(number << 3 | 2);
  out += static_cast<char>(bytes.size());
  out.append(bytes.data(), bytes.size());
}

void WriteBigEndian(uint32_t value, char* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = static_cast<char>(value >> (8 * (3 - i)));
  }
}

}  // namespace

Traffic::Traffic(const TrafficSettings& settings, uint32_t seed)
    : drawn_(Draw(settings, seed)) {
  AppendField(domain_field_, 1, settings.domain.substr(0, kMaxShort));
  for (int i = 0; i < settings.descriptors; ++i) {
    AppendField(entry_keys_.emplace_back(), 1,
                i == 0 ? "user" : absl::StrCat("d", i));
  }
}

uint32_t Traffic::NextKey() {
  next_ = (next_ + 1) % kDrawn;
  return drawn_[next_];
}

void Traffic::WriteNext(std::string& out) {
  out.assign(kPrefixBytes, '\0');
  out += domain_field_;
  for (const std::string& key : entry_keys_) {
    char value[16] = "u";
    const char* const end =
        std::to_chars(value + 1, std::end(value), NextKey()).ptr;
    const auto value_size = static_cast<size_t>(end - value);
    const size_t entry_size = key.size() + 2 + value_size;
    // RateLimitRequest.descriptors, RateLimitDescriptor.entries.
    out += static_cast<char>(2 << 3 | 2);
    out += static_cast<char>(entry_size + 2);
    out += static_cast<char>(1 << 3 | 2);
    out += static_cast<char>(entry_size);
    out += key;
    AppendField(out, 2, {value, value_size});
  }
  WriteBigEndian(static_cast<uint32_t>(out.size() - kPrefixBytes), &out[1]);
}

}  // namespace rls
