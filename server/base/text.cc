#include "base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

constexpr size_t kQuotedBytes = 80;

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0.
// Source: Unicode 15, table 3-7.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) -> uint8_t {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : 0;
  };
  const auto in = [&](size_t i, uint8_t low, uint8_t high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const auto tail = [&](size_t i) { return in(i, 0x80, 0xBF); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second =
        in(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second =
        in(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string EscapeControls(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto lead = static_cast<uint8_t>(text[0]);
    if (length == 0 || (length == 1 && (lead < 0x20 || lead == 0x7F))) {
      absl::StrAppend(&out, "\\x", absl::Hex(lead, absl::kZeroPad2));
      text.remove_prefix(1);
      continue;
    }
    absl::StrAppend(&out, text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

std::string JsonText(absl::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto lead = static_cast<uint8_t>(text[0]);
    if (length == 0) {
      out += "\uFFFD";
    } else if (lead == '"' || lead == '\\') {
      absl::StrAppend(&out, "\\", text.substr(0, 1));
    } else if (lead == '\n') {
      out += "\\n";
    } else if (lead < 0x20 || lead == 0x7F) {
      absl::StrAppend(&out, "\\u", absl::Hex(lead, absl::kZeroPad4));
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  out += '"';
  return out;
}

std::string Quoted(absl::string_view text) {
  if (text.size() <= kQuotedBytes) {
    return absl::StrCat("\"", EscapeControls(text), "\"");
  }
  return absl::StrCat("\"", EscapeControls(text.substr(0, kQuotedBytes)),
                      "...\" (", text.size(), " bytes)");
}

absl::string_view NearestWord(
    absl::string_view word, const std::vector<absl::string_view>& candidates) {
  absl::string_view nearest;
  // A word with more than a third of its letters wrong is another word, not a
  // typo. Two swapped letters count as two errors.
  size_t least =
      (word.size() < 4 ? 1 : std::max<size_t>(word.size() / 3, 2)) + 1;
  for (const absl::string_view candidate : candidates) {
    if (candidate.size() > word.size() + least ||
        word.size() > candidate.size() + least) {
      continue;
    }
    const size_t distance = EditDistance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string DidYouMean(absl::string_view word,
                       const std::vector<absl::string_view>& candidates) {
  const absl::string_view nearest = NearestWord(word, candidates);
  if (nearest.empty()) return "";
  return absl::StrCat("; did you mean ", Quoted(nearest), "?");
}

bool HasControls(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char byte) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(byte));
  });
}

bool IsHeaderName(absl::string_view name) {
  constexpr absl::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char byte) {
    return absl::ascii_isalnum(static_cast<unsigned char>(byte)) ||
           kMarks.find(byte) != kMarks.npos;
  });
}

}  // namespace rls
