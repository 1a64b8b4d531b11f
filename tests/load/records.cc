#include "load/records.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace rls {
namespace {

// {"name": count, ...} of the names with a count other than 0.
template <size_t kNames>
std::string Counts(const std::array<const char*, kNames>& names,
                   const std::array<int64_t, kNames>& counts) {
  std::vector<std::string> members;
  for (size_t i = 0; i < kNames; ++i) {
    if (counts[i] == 0) continue;
    members.push_back(absl::StrCat("\"", names[i], "\": ", counts[i]));
  }
  return absl::StrCat("{", absl::StrJoin(members, ", "), "}");
}

constexpr std::array<const char*, 17> kCodes = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};
constexpr std::array<const char*, 3> kOverall = {"UNKNOWN", "OK", "OVER_LIMIT"};

}  // namespace

bool WriteRecords(const std::string& path, const std::vector<Record>& records) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(records.data()),
             static_cast<std::streamsize>(records.size() * sizeof(Record)));
  file.close();
  return file.good();
}

std::string Summary(const std::vector<Record>& records) {
  std::array<int64_t, kCodes.size()> codes = {};
  std::array<int64_t, kOverall.size()> overall = {};
  std::vector<uint32_t> latencies;
  int64_t first_ns = INT64_MAX;
  int64_t last_ns = INT64_MIN;
  for (const Record& record : records) {
    ++codes[std::min<size_t>(record.code, codes.size() - 1)];
    if (record.code == 0) {
      ++overall[std::min<size_t>(record.overall, overall.size() - 1)];
    }
    latencies.push_back(record.latency_us);
    first_ns = std::min(first_ns, record.start_ns);
    last_ns =
        std::max(last_ns, record.start_ns + int64_t{record.latency_us} * 1000);
  }
  std::sort(latencies.begin(), latencies.end());
  const auto quantile = [&](double share) -> uint32_t {
    if (latencies.empty()) return 0;
    const double at = share * static_cast<double>(latencies.size());
    return latencies[std::min(static_cast<size_t>(at), latencies.size() - 1)];
  };
  const double seconds =
      records.empty() ? 0 : static_cast<double>(last_ns - first_ns) / 1e9;
  return absl::StrFormat(
      "{\"calls\": %d, \"seconds\": %.3f, \"codes\": %s, \"overall\": %s, "
      "\"p50_us\": %d, \"p99_us\": %d, \"p999_us\": %d, \"max_us\": %d}",
      records.size(), seconds, Counts(kCodes, codes), Counts(kOverall, overall),
      quantile(0.5), quantile(0.99), quantile(0.999), quantile(1));
}

}  // namespace rls
