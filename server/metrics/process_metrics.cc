#include "metrics/process_metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace rls {
namespace {

using Families = std::vector<prometheus::MetricFamily>;

void Add(const char* name, const char* help, prometheus::MetricType type,
         double value, Families& families) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  family.metric = {metric};
  families.push_back(std::move(family));
}

double Seconds(const timeval& time) {
  constexpr double kMicrosecondsPerSecond = 1e6;
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / kMicrosecondsPerSecond;
}

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The fields of /proc/self/stat from the third one, `state`, on. The second
// one may contain spaces.
std::vector<std::string> StatFields() {
  const std::string text = ReadAll("/proc/self/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  return absl::StrSplit(text.substr(name_end + 1), ' ', absl::SkipEmpty());
}

std::optional<double> BootTime() {
  for (const absl::string_view line :
       absl::StrSplit(ReadAll("/proc/stat"), '\n')) {
    double seconds = 0;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words.size() == 2 && words[0] == "btime" &&
        absl::SimpleAtod(words[1], &seconds)) {
      return seconds;
    }
  }
  return std::nullopt;
}

std::optional<double> OpenFiles() {
  std::error_code error;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return std::nullopt;
  double count = 0;
  while (files != std::filesystem::directory_iterator()) {
    ++count;
    if (files.increment(error); error) return std::nullopt;
  }
  return count;
}

void AddStat(Families& families) {
  // Indexes behind the name, of starttime, vsize and rss.
  constexpr size_t kStart = 19;
  constexpr size_t kSize = 20;
  constexpr size_t kRss = 21;
  std::vector<double> numbers;
  for (const std::string& field : StatFields()) {
    double number = 0;
    if (!absl::SimpleAtod(field, &number)) number = 0;  // the state, a letter
    numbers.push_back(number);
  }
  if (numbers.size() <= kRss) return;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  Add("process_virtual_memory_bytes", "Virtual memory",
      prometheus::MetricType::Gauge, numbers[kSize], families);
  Add("process_resident_memory_bytes", "Resident memory",
      prometheus::MetricType::Gauge, numbers[kRss] * page, families);
  if (const auto boot = BootTime()) {
    Add("process_start_time_seconds", "Start, in seconds since the Unix epoch",
        prometheus::MetricType::Gauge, *boot + numbers[kStart] / ticks,
        families);
  }
}

}  // namespace

std::string ProcessMetricsText() {
  Families families;
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    Add("process_cpu_seconds_total", "User and system processor time",
        prometheus::MetricType::Counter,
        Seconds(usage.ru_utime) + Seconds(usage.ru_stime), families);
  }
  AddStat(families);
  if (const auto files = OpenFiles()) {
    Add("process_open_fds", "Open file descriptors",
        prometheus::MetricType::Gauge, *files, families);
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    Add("process_max_fds", "Most open file descriptors",
        prometheus::MetricType::Gauge, static_cast<double>(limit.rlim_cur),
        families);
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace rls
