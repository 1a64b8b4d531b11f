#include "rpc/read_query.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "rpc/wire.h"

namespace rls {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

absl::Status TooLong(absl::string_view field, size_t found, int most) {
  return Invalid(field, absl::StrCat(found, " bytes, at most ", most));
}

absl::Status Malformed(absl::string_view message) {
  return Invalid(message, "not a valid protobuf message");
}

// The place of a field in the request, for error texts.
std::string Place(size_t descriptor, absl::string_view rest) {
  return absl::StrCat("descriptors[", descriptor, "]", rest);
}

absl::Duration UnitLength(uint64_t unit) {
  switch (unit) {  // envoy.type.v3.RateLimitUnit
    case 1:
      return absl::Seconds(1);
    case 2:
      return absl::Minutes(1);
    case 3:
      return absl::Hours(1);
    case 4:
      return absl::Hours(24);
    case 5:
      return absl::Hours(24 * 30);
    case 6:
      return absl::Hours(24 * 365);
    case 7:
      return absl::Hours(24 * 7);
    default:
      return absl::ZeroDuration();
  }
}

// google.protobuf.UInt32Value and UInt64Value.
bool ReadWrapped(absl::string_view bytes, uint64_t& value) {
  value = 0;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) {
      reader.ReadVarint(value);
    } else {
      reader.Skip();
    }
  }
  return reader.ok();
}

absl::Status ReadOverrideField(absl::string_view bytes, size_t descriptor,
                               Policy& policy) {
  WireOverride found;
  WireReader reader(bytes);
  while (reader.Next()) {
    absl::string_view wrapped;
    switch (reader.field()) {
      case 1:
        reader.ReadVarint(found.requests_per_unit);
        break;
      case 2:
        reader.ReadVarint(found.unit);
        break;
      case 3:
        if (reader.ReadBytes(wrapped) &&
            !ReadWrapped(wrapped, found.unit_multiplier)) {
          return Malformed(Place(descriptor, ".limit.unit_multiplier"));
        }
        break;
      default:
        reader.Skip();
    }
  }
  if (!reader.ok()) return Malformed(Place(descriptor, ".limit"));
  return ReadOverride(found, descriptor, policy);
}

std::string EntryPlace(size_t descriptor, size_t entry,
                       absl::string_view field) {
  return Place(descriptor, absl::StrCat(".entries[", entry, "]", field));
}

absl::Status CheckEntry(const Entry& entry, size_t descriptor, size_t index) {
  if (entry.key.size() > kMaxKeyBytes) {
    return TooLong(EntryPlace(descriptor, index, ".key"), entry.key.size(),
                   kMaxKeyBytes);
  }
  if (entry.value.size() > kMaxValueBytes) {
    return TooLong(EntryPlace(descriptor, index, ".value"), entry.value.size(),
                   kMaxValueBytes);
  }
  return absl::OkStatus();
}

absl::Status TooManyDescriptors() {
  return Invalid("descriptors", absl::StrCat("more than ", kMaxDescriptors));
}

absl::Status TooManyEntries(size_t descriptor) {
  return Invalid(Place(descriptor, ".entries"),
                 absl::StrCat("more than ", kMaxEntries));
}

absl::Status ReadEntry(absl::string_view bytes, size_t descriptor, size_t index,
                       Entry& entry) {
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        reader.ReadBytes(entry.key);
        break;
      case 2:
        reader.ReadBytes(entry.value);
        break;
      default:
        reader.Skip();
    }
  }
  if (!reader.ok()) return Malformed(EntryPlace(descriptor, index, ""));
  return CheckEntry(entry, descriptor, index);
}

// Reads the current field of `reader` into `descriptor`.
absl::Status ReadDescriptorField(WireReader& reader, size_t index,
                                 Descriptor& descriptor) {
  absl::string_view bytes;
  uint64_t number = 0;
  switch (reader.field()) {
    case 1:
      if (!reader.ReadBytes(bytes)) return absl::OkStatus();
      if (descriptor.entries.size() == kMaxEntries) {
        return TooManyEntries(index);
      }
      descriptor.entries.emplace_back();
      return ReadEntry(bytes, index, descriptor.entries.size() - 1,
                       descriptor.entries.back());
    case 2:
      if (!reader.ReadBytes(bytes)) return absl::OkStatus();
      return ReadOverrideField(bytes, index,
                               descriptor.limit_override.emplace());
    case 3:
      if (!reader.ReadBytes(bytes)) return absl::OkStatus();
      if (!ReadWrapped(bytes, descriptor.hits.emplace())) {
        return Malformed(Place(index, ".hits_addend"));
      }
      return absl::OkStatus();
    case 4:
      if (reader.ReadVarint(number)) descriptor.is_negative_hits = number != 0;
      return absl::OkStatus();
    default:
      reader.Skip();
      return absl::OkStatus();
  }
}

absl::Status ReadDescriptor(absl::string_view bytes, size_t index,
                            Descriptor& descriptor) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (absl::Status read = ReadDescriptorField(reader, index, descriptor);
        !read.ok()) {
      return read;
    }
  }
  return reader.ok() ? absl::OkStatus() : Malformed(Place(index, ""));
}

absl::Status CheckDomainAndCount(const Query& query) {
  if (query.domain.empty()) return Invalid("domain", "must not be empty");
  if (query.domain.size() > kMaxDomainBytes) {
    return TooLong("domain", query.domain.size(), kMaxDomainBytes);
  }
  if (query.descriptors.empty()) {
    return Invalid("descriptors", "must not be empty");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadQuery(absl::string_view bytes, Query& query) {
  WireReader reader(bytes);
  while (reader.Next()) {
    absl::string_view descriptor;
    uint64_t hits = 0;
    switch (reader.field()) {
      case 1:
        reader.ReadBytes(query.domain);
        break;
      case 2: {
        if (!reader.ReadBytes(descriptor)) break;
        const size_t index = query.descriptors.size();
        if (index == kMaxDescriptors) return TooManyDescriptors();
        if (absl::Status read = ReadDescriptor(
                descriptor, index, query.descriptors.emplace_back());
            !read.ok()) {
          return read;
        }
        break;
      }
      case 3:
        if (reader.ReadVarint(hits)) query.hits = static_cast<uint32_t>(hits);
        break;
      default:
        reader.Skip();
    }
  }
  if (!reader.ok()) return Malformed("request");
  return CheckDomainAndCount(query);
}

absl::Status ReadOverride(const WireOverride& found, size_t descriptor,
                          Policy& policy) {
  const absl::Duration length = UnitLength(found.unit);
  if (length == absl::ZeroDuration()) {
    return Invalid(Place(descriptor, ".limit.unit"),
                   absl::StrCat("found ", found.unit,
                                ", expected SECOND (1) to WEEK (7)"));
  }
  // The product of absl::Duration cannot overflow: at most 2^32 years.
  const auto times = static_cast<int64_t>(
      std::clamp<uint64_t>(found.unit_multiplier, 1, UINT32_MAX));
  if (length * times > kMaxWindow) {
    return Invalid(Place(descriptor, ".limit.unit_multiplier"),
                   "the window is longer than a year");
  }
  policy.limit = static_cast<int64_t>(
      std::min<uint64_t>(found.requests_per_unit, UINT32_MAX));
  policy.window = length * times;
  return absl::OkStatus();
}

absl::Status CheckDescriptor(const Descriptor& descriptor, size_t index) {
  if (index >= kMaxDescriptors) return TooManyDescriptors();
  for (size_t i = 0; i < descriptor.entries.size(); ++i) {
    if (i == kMaxEntries) return TooManyEntries(index);
    if (absl::Status checked = CheckEntry(descriptor.entries[i], index, i);
        !checked.ok()) {
      return checked;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckQuery(const Query& query) {
  for (size_t i = 0; i < query.descriptors.size(); ++i) {
    if (absl::Status checked = CheckDescriptor(query.descriptors[i], i);
        !checked.ok()) {
      return checked;
    }
  }
  return CheckDomainAndCount(query);
}

}  // namespace rls
