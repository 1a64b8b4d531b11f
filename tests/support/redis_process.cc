#include "support/redis_process.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>

namespace rls {
namespace {

// A generous timeout: only a failure reaches it.
constexpr std::chrono::seconds kTimeout(60);
// Another process may take a free port before Redis binds it.
constexpr int kPortTries = 10;

std::string NewFolder() {
  std::string path = ::testing::TempDir() + "redis-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    ADD_FAILURE() << "no temporary folder: " << path;
  }
  return path;
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, length) != 0 ||
      getsockname(fd, generic, &length) != 0) {
    ADD_FAILURE() << "no free port: " << std::strerror(errno);
  }
  close(fd);
  return ntohs(address.sin_port);
}

RedisReply Convert(const redisReply& reply) {
  using Kind = RedisReply::Kind;
  RedisReply result;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      result.kind = Kind::kInteger;
      result.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      result.kind = Kind::kArray;
      for (size_t i = 0; i < reply.elements; ++i) {
        result.elements.push_back(Convert(*reply.element[i]));
      }
      break;
    case REDIS_REPLY_NIL:
      result.kind = Kind::kNil;
      break;
    default:
      result.kind =
          reply.type == REDIS_REPLY_ERROR ? Kind::kError : Kind::kText;
      result.text.assign(reply.str, static_cast<size_t>(reply.len));
  }
  return result;
}

RedisReply Send(redisContext& connection,
                const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  auto* const reply = static_cast<redisReply*>(redisCommandArgv(
      &connection, static_cast<int>(texts.size()), texts.data(), sizes.data()));
  if (reply == nullptr) return {.text = connection.errstr};
  RedisReply result = Convert(*reply);
  freeReplyObject(reply);
  return result;
}

// The form that execve needs.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const FakeClock* clock) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.push_back(*variable);
  }
  if (clock != nullptr) {
    variables.push_back("LD_PRELOAD=" RLS_FAKE_TIME_LIBRARY);
    variables.push_back("RLS_FAKE_TIME_FILE=" + clock->path());
  }
  return variables;
}

}  // namespace

RedisProcess::RedisProcess(RedisProcessOptions options)
    : options_(std::move(options)), folder_(NewFolder()) {
  if (!options_.tcp) socket_ = folder_ + "/socket";
  Start();
}

RedisProcess::~RedisProcess() {
  Kill();
  if (::testing::Test::HasFailure()) {
    std::cerr << "--- log of redis-server:\n" << Log() << "---\n";
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisProcess::Start() {
  const bool choose_port = options_.tcp && port_ == 0;
  for (int tries = choose_port ? kPortTries : 1; tries > 0; --tries) {
    if (choose_port) ChoosePorts();
    if (TryStart()) return;
  }
  ADD_FAILURE() << "redis-server does not start: " << Log();
}

void RedisProcess::ChoosePorts() {
  port_ = FreePort();
  if (!options_.tls_folder.empty()) tls_port_ = FreePort();
  if (options_.cluster) cluster_port_ = FreePort();
}

void RedisProcess::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGSTOP);
  waitpid(pid_, nullptr, WUNTRACED);
}

void RedisProcess::Continue() {
  if (pid_ <= 0) return;
  kill(pid_, SIGCONT);
  waitpid(pid_, nullptr, WCONTINUED);
}

RedisReply RedisProcess::Command(const std::vector<std::string>& words) const {
  const timeval timeout{.tv_sec = kTimeout.count(), .tv_usec = 0};
  const std::unique_ptr<redisContext, decltype(&redisFree)> connection(
      options_.tcp ? redisConnectWithTimeout("127.0.0.1", port_, timeout)
                   : redisConnectUnixWithTimeout(socket_.c_str(), timeout),
      redisFree);
  if (connection == nullptr) return {.text = "no memory"};
  if (connection->err != 0) return {.text = connection->errstr};
  redisSetTimeout(connection.get(), timeout);
  if (!options_.password.empty()) {
    RedisReply reply = Send(*connection, {"AUTH", options_.password});
    if (!reply.ok()) return reply;
  }
  return Send(*connection, words);
}

int64_t RedisProcess::Calls(const std::string& command) const {
  const std::string name = "cmdstat_" + command + ":calls=";
  const std::string info = Command({"INFO", "commandstats"}).text;
  const size_t found = info.find(name);
  return found == std::string::npos
             ? 0
             : std::atoll(info.c_str() + found + name.size());
}

bool RedisProcess::TryStart() {
  Run(Arguments());
  const auto end = std::chrono::steady_clock::now() + kTimeout;
  while (pid_ > 0 && std::chrono::steady_clock::now() < end) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
    if (pid_ > 0 && AnswersPing()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  Kill();
  return false;
}

std::vector<std::string> RedisProcess::Arguments() const {
  std::vector<std::string> words = {"redis-server"};
  if (options_.sentinel) {
    // A sentinel stores its state in this file, and does not start without it.
    const std::string config = folder_ + "/sentinel.conf";
    std::ofstream(config, std::ios::app).flush();
    words.insert(words.end(), {config, "--sentinel"});
  }
  words.insert(words.end(), {"--save", "", "--appendonly", "no", "--dir",
                             folder_, "--logfile", "log", "--bind", "127.0.0.1",
                             "--port", std::to_string(port_)});
  if (options_.cluster) {
    words.insert(words.end(), {"--cluster-enabled", "yes", "--cluster-port",
                               std::to_string(cluster_port_)});
  }
  if (!options_.tls_folder.empty()) {
    const std::string& folder = options_.tls_folder;
    words.insert(
        words.end(),
        {"--tls-port", std::to_string(tls_port_), "--tls-ca-cert-file",
         folder + "/ca.pem", "--tls-cert-file", folder + "/redis.pem",
         "--tls-key-file", folder + "/redis.key", "--tls-cluster", "yes"});
  }
  if (!options_.password.empty()) {
    words.insert(words.end(), {"--requirepass", options_.password});
  }
  if (!options_.tcp) words.insert(words.end(), {"--unixsocket", socket_});
  words.insert(words.end(), options_.arguments.begin(),
               options_.arguments.end());
  return words;
}

void RedisProcess::Run(std::vector<std::string> words) {
  std::vector<std::string> variables = Environment(options_.clock);
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> envp = Pointers(variables);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == -1) pid_ = 0;
  if (pid_ != 0 || getpid() == parent) return;
  // Only functions that are safe in the forked child of a threaded process.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  execvpe(argv[0], argv.data(), envp.data());
  _exit(127);
}

// An error reply also counts: Redis may require a password.
bool RedisProcess::AnswersPing() const {
  return Command({"PING"}).kind != RedisReply::Kind::kNone;
}

std::string RedisProcess::Log() const {
  std::ostringstream text;
  text << std::ifstream(folder_ + "/log").rdbuf();
  return text.str();
}

}  // namespace rls
