// Sends a load of rate limit calls and records each answer. For measurements
// and for tests that count admitted calls.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "load/records.h"
#include "load/send_load.h"

namespace {

std::atomic<bool> stop{false};

struct Arguments {
  rls::LoadSettings load;
  std::string plan;
  std::string records;
  int pause_ms = 5;
};

void AddOptions(CLI::App& cli, Arguments& arguments) {
  rls::LoadSettings& load = arguments.load;
  cli.add_option("--server", load.servers, "HOST:PORT; can be given again")
      ->required();
  cli.add_option("--plan", arguments.plan,
                 "File of requests, one a line: the domain and each "
                 "descriptor (key=value,...), separated by tabs")
      ->required();
  cli.add_option("--records", arguments.records, "File to write records to");
  cli.add_option("--streams", load.streams, "Concurrent calls")
      ->capture_default_str();
  cli.add_option("--channels", load.channels, "Connections to each server")
      ->capture_default_str();
  cli.add_option("--calls", load.calls, "0: until SIGTERM or SIGINT");
  cli.add_option("--rate", load.rate,
                 "Calls per second; 0: as fast as possible");
  cli.add_option("--pause-ms", arguments.pause_ms,
                 "Rest of a stream after a call without an answer")
      ->capture_default_str();
}

// The only function that handles exceptions of CLI11. Returns -1 to continue,
// or the exit status.
int Parse(CLI::App& cli, int argc, char** argv) {
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error);
  }
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("Sends rate limit calls to servers");
  Arguments arguments;
  AddOptions(cli, arguments);
  const int status = Parse(cli, argc, argv);
  if (status >= 0) return status;

  std::ifstream plan(arguments.plan);
  for (std::string line; std::getline(plan, line);) {
    arguments.load.plan.push_back(line);
  }
  if (arguments.load.plan.empty()) {
    std::cerr << "load: no requests in " << arguments.plan << "\n";
    return 1;
  }
  arguments.load.pause = std::chrono::milliseconds(arguments.pause_ms);

  struct sigaction action = {};
  action.sa_handler = [](int) { stop.store(true); };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const std::vector<rls::Record> records = rls::SendLoad(arguments.load, stop);
  if (!arguments.records.empty() &&
      !rls::WriteRecords(arguments.records, records)) {
    std::cerr << "load: cannot write " << arguments.records << "\n";
    return 1;
  }
  std::cout << rls::Summary(records) << std::endl;
  return 0;
}
