#include "trace/trace_context.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rls {
namespace {

constexpr size_t kTraceparentBytes = 55;

// -1: no hexadecimal digit. The formats have lower case only.
int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Reads two digits for each byte. False: other text, or all bytes are zero.
template <size_t kSize>
bool ReadId(absl::string_view text, std::array<uint8_t, kSize>& id) {
  if (text.size() != 2 * kSize) return false;
  std::array<uint8_t, kSize> read;
  for (size_t i = 0; i < kSize; ++i) {
    const int high = DigitOf(text[2 * i]);
    const int low = DigitOf(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    read[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (read == std::array<uint8_t, kSize>{}) return false;
  id = read;
  return true;
}

// The trace id of B3 may have 8 bytes only. These are then the last bytes.
bool ReadB3TraceId(absl::string_view text, TraceId& id) {
  constexpr char kZeros[] = "0000000000000000";
  if (text.size() != 16) return ReadId(text, id);
  return ReadId(absl::StrCat(kZeros, text), id);
}

// False: malformed.
bool ReadB3Sampled(absl::string_view text, std::optional<bool>& sampled) {
  if (text == "1" || text == "d" || absl::EqualsIgnoreCase(text, "true")) {
    sampled = true;
  } else if (text == "0" || absl::EqualsIgnoreCase(text, "false")) {
    sampled = false;
  } else {
    return false;
  }
  return true;
}

// version-traceid-spanid-flags. Later versions may append fields.
bool ReadTraceparent(absl::string_view text, TraceContext& context) {
  if (text.size() < kTraceparentBytes || text[2] != '-' || text[35] != '-' ||
      text[52] != '-') {
    return false;
  }
  const int high = DigitOf(text[0]);
  const int low = DigitOf(text[1]);
  if (high < 0 || low < 0 || high + low == 30) return false;  // ff is invalid
  if (text.size() > kTraceparentBytes &&
      (high + low == 0 || text[kTraceparentBytes] != '-')) {
    return false;
  }
  const int flags = DigitOf(text[54]);
  TraceContext read;
  if (DigitOf(text[53]) < 0 || flags < 0 ||
      !ReadId(text.substr(3, 32), read.trace_id) ||
      !ReadId(text.substr(36, 16), read.span_id)) {
    return false;
  }
  read.sampled = (flags & 1) != 0;
  context = std::move(read);
  return true;
}

}  // namespace

TraceHeaders::Slot TraceHeaders::SlotOf(absl::string_view name) {
  // Most headers have a length that rules out all names below.
  static constexpr std::pair<absl::string_view, Slot> kNames[] = {
      {"traceparent", kTraceparent},
      {"tracestate", kTracestate},
      {"b3", kB3},
      {"x-b3-traceid", kB3TraceId},
      {"x-b3-spanid", kB3SpanId},
      {"x-b3-sampled", kB3Sampled},
      {"x-b3-flags", kB3Flags}};
  for (const auto& [known, slot] : kNames) {
    if (absl::EqualsIgnoreCase(name, known)) return slot;
  }
  return kSlots;
}

void TraceHeaders::Add(absl::string_view name, absl::string_view value) {
  const Slot slot = SlotOf(name);
  if (slot == kSlots || value.empty()) return;
  std::string& kept = values_[slot];
  if (slot == kTraceparent && !kept.empty()) is_ambiguous_ = true;
  if (slot == kTracestate && !kept.empty()) {
    // A list may be split over several headers.
    if (kept.size() + 1 + value.size() > kMaxValueBytes) return;
    absl::StrAppend(&kept, ",", value);
    return;
  }
  if (value.size() > kMaxValueBytes) return;
  kept.assign(value.data(), value.size());
  has_any_ = true;
}

void TraceHeaders::Clear() {
  if (!has_any_) return;
  for (std::string& value : values_) value.clear();
  has_any_ = is_ambiguous_ = false;
}

TraceContext TraceHeaders::Parse(const TraceFormats& formats) const {
  TraceContext context;
  if (!has_any_) return context;
  if (formats.b3 && (ParseB3(context) || ParseB3Headers(context))) {
    return context;
  }
  if (formats.w3c && !is_ambiguous_ &&
      ReadTraceparent(values_[kTraceparent], context)) {
    // A header that is no ASCII text would make the whole batch invalid.
    const std::string& state = values_[kTracestate];
    bool is_text = true;
    for (const char c : state) is_text &= c >= ' ' && c <= '~';
    if (is_text) context.state = state;
  }
  return context;
}

// traceid-spanid, traceid-spanid-sampled, traceid-spanid-sampled-parent, or
// only sampled.
bool TraceHeaders::ParseB3(TraceContext& context) const {
  const absl::string_view text = values_[kB3];
  if (text.empty()) return false;
  TraceContext read;
  if (text.size() == 1) {
    if (!ReadB3Sampled(text, read.sampled)) return false;
    context = std::move(read);
    return true;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  if (parts.size() < 2 || parts.size() > 4 ||
      !ReadB3TraceId(parts[0], read.trace_id) ||
      !ReadId(parts[1], read.span_id)) {
    return false;
  }
  if (parts.size() > 2 && !ReadB3Sampled(parts[2], read.sampled)) return false;
  SpanId parent;
  if (parts.size() > 3 && !ReadId(parts[3], parent)) return false;
  context = std::move(read);
  return true;
}

bool TraceHeaders::ParseB3Headers(TraceContext& context) const {
  TraceContext read;
  if (values_[kB3Flags] == "1") {
    read.sampled = true;
  } else if (!values_[kB3Sampled].empty() &&
             !ReadB3Sampled(values_[kB3Sampled], read.sampled)) {
    return false;
  }
  if (values_[kB3TraceId].empty() && values_[kB3SpanId].empty()) {
    if (!read.sampled.has_value()) return false;
  } else if (!ReadB3TraceId(values_[kB3TraceId], read.trace_id) ||
             !ReadId(values_[kB3SpanId], read.span_id)) {
    return false;
  }
  context = std::move(read);
  return true;
}

}  // namespace rls
