// Puts a load of rate limit calls on one server and prints the results as a
// JSON object. bench/compare/run starts the server and this program.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compare/load.h"

namespace {

void AddOptions(CLI::App& cli, rls::LoadSettings& load) {
  cli.add_option("--port", load.port, "Port of the server on 127.0.0.1")
      ->required();
  cli.add_option("--connections", load.connections)->capture_default_str();
  cli.add_option("--streams", load.streams,
                 "Concurrent calls on each connection")
      ->capture_default_str();
  cli.add_option("--threads", load.threads)->capture_default_str();
  cli.add_option("--rate", load.rate,
                 "Calls per second (open loop); 0: each answer starts the next"
                 " call");
  cli.add_option("--domain", load.traffic.domain)->capture_default_str();
  cli.add_option("--descriptors", load.traffic.descriptors)
      ->capture_default_str()
      ->check(CLI::Range(1, 5));
  cli.add_option("--keys", load.traffic.keys)
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  cli.add_option("--zipf", load.traffic.zipf,
                 "Exponent of the keys' distribution; 0: uniform");
  cli.add_option("--timeout", load.timeout, "Value of grpc-timeout");
  cli.add_option("--warm-up", load.warm_up_s, "Seconds")->capture_default_str();
  cli.add_option("--seconds", load.seconds)->capture_default_str();
  cli.add_flag("--want-limits", load.want_limits,
               "Fail if no limit applies to a descriptor");
  cli.add_option("--watch", load.watched_pids,
                 "Process ID to measure the processor time of; repeatable");
  cli.add_option("--seed", load.seed)->capture_default_str();
}

// The only function that handles exceptions of CLI11. Returns -1 to continue,
// else the exit status.
int Parse(CLI::App& cli, int argc, char** argv) {
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error);
  }
  return -1;
}

std::string AsJson(const rls::LoadResult& result, int threads) {
  const rls::Answers& answers = result.answers;
  const auto done = static_cast<double>(std::max<uint64_t>(1, result.answered));
  std::vector<double> watched_us;
  for (const double cpu_s : result.watched_cpu_s) {
    watched_us.push_back(cpu_s / done * 1e6);
  }
  const auto percentile_us = [&answers](double fraction) {
    return static_cast<double>(answers.latencies.Percentile(fraction)) / 1e3;
  };
  return absl::StrCat(
      "{\"per_s\": ", done / result.seconds, ", \"watched_cpu_us\": [",
      absl::StrJoin(watched_us, ", "), "]",
      ", \"load_busy\": ", result.own_cpu_s / result.seconds / threads,
      ", \"answers\": ", answers.latencies.count(), ", \"ok\": ", answers.ok,
      ", \"over_limit\": ", answers.over_limit,
      ", \"other_code\": ", answers.other_code,
      ", \"failed\": ", answers.failed, ", \"sent_late\": ", answers.sent_late,
      ", \"mean_us\": ", answers.latencies.mean_ns() / 1e3,
      ", \"p50_us\": ", percentile_us(0.5),
      ", \"p90_us\": ", percentile_us(0.9),
      ", \"p99_us\": ", percentile_us(0.99),
      ", \"p999_us\": ", percentile_us(0.999),
      ", \"max_us\": ", static_cast<double>(answers.latencies.max_ns()) / 1e3,
      "}");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli(
      "Puts load on a rate limit service and prints the results as JSON");
  rls::LoadSettings load;
  AddOptions(cli, load);
  const int status = Parse(cli, argc, argv);
  if (status >= 0) return status;
  // Each thread needs at least one connection.
  load.threads = std::clamp(load.threads, 1, std::max(1, load.connections));
  std::puts(AsJson(rls::RunLoad(load), load.threads).c_str());
  return 0;
}
