#include "compare/load.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "compare/load_client.h"
#include "support/process_cpu.h"

namespace rls {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A closed loop continues until it has this many answers. Other processes may
// starve the server for longer than the time of a measurement.
constexpr uint64_t kMinAnswers = 300;
constexpr std::chrono::milliseconds kPoll{10};

struct Reading {
  SteadyClock::time_point time;
  uint64_t answered = 0;
  double own_cpu_s = 0;
  std::vector<double> watched_cpu_s;
};

using Clients = std::vector<std::unique_ptr<LoadClient>>;

uint64_t AnsweredOf(const Clients& clients) {
  uint64_t sum = 0;
  for (const auto& client : clients) sum += client->answered();
  return sum;
}

Reading ReadAll(const Clients& clients, const std::vector<int>& pids) {
  Reading reading{.time = SteadyClock::now(),
                  .answered = AnsweredOf(clients),
                  .own_cpu_s = OwnCpuSeconds()};
  for (const int pid : pids) {
    reading.watched_cpu_s.push_back(CpuSecondsOf(pid));
  }
  return reading;
}

LoadResult Between(const Reading& begin, const Reading& end) {
  LoadResult result;
  result.seconds = std::chrono::duration<double>(end.time - begin.time).count();
  result.answered = end.answered - begin.answered;
  result.own_cpu_s = end.own_cpu_s - begin.own_cpu_s;
  for (size_t i = 0; i < begin.watched_cpu_s.size(); ++i) {
    result.watched_cpu_s.push_back(end.watched_cpu_s[i] -
                                   begin.watched_cpu_s[i]);
  }
  return result;
}

}  // namespace

void Answers::Add(const Answers& others) {
  latencies.Add(others.latencies);
  ok += others.ok;
  over_limit += others.over_limit;
  other_code += others.other_code;
  failed += others.failed;
  sent_late += others.sent_late;
}

LoadResult RunLoad(const LoadSettings& settings) {
  Clients clients;
  for (int i = 0; i < settings.threads; ++i) {
    clients.push_back(std::make_unique<LoadClient>(settings, i));
  }
  for (const auto& client : clients) client->Greet();
  const auto seconds = [](double count) {
    return std::chrono::duration_cast<SteadyClock::duration>(
        std::chrono::duration<double>(count));
  };
  const auto start = SteadyClock::now();
  const auto from = start + seconds(settings.warm_up_s);
  const auto until = from + seconds(settings.seconds);
  std::vector<std::thread> threads;
  for (const auto& client : clients) {
    threads.emplace_back([&] { client->Run({start, from, until}); });
  }
  std::this_thread::sleep_until(from);
  const Reading begin = ReadAll(clients, settings.watched_pids);
  std::this_thread::sleep_until(until);
  while (settings.rate == 0 &&
         AnsweredOf(clients) < begin.answered + kMinAnswers) {
    std::this_thread::sleep_for(kPoll);
  }
  const Reading end = ReadAll(clients, settings.watched_pids);
  for (const auto& client : clients) client->Stop();
  for (std::thread& thread : threads) thread.join();

  LoadResult result = Between(begin, end);
  for (const auto& client : clients) result.answers.Add(client->answers());
  return result;
}

}  // namespace rls
