#ifndef RLS_TESTS_SUPPORT_REDIS_PROCESS_H_
#define RLS_TESTS_SUPPORT_REDIS_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fake_clock.h"

namespace rls {

// The reply of Redis to one command.
struct RedisReply {
  enum class Kind { kNone, kNil, kInteger, kText, kArray, kError };

  Kind kind = Kind::kNone;  // kNone: no reply; `text` has the reason
  int64_t integer = 0;
  std::string text;  // of kText (including a status), kError and kNone
  std::vector<RedisReply> elements;

  bool ok() const { return kind != Kind::kNone && kind != Kind::kError; }
};

struct RedisProcessOptions {
  // The wall clock of Redis; null: the system clock.
  const FakeClock* clock = nullptr;
  // Listens on a free port of 127.0.0.1 instead of a Unix socket.
  bool tcp = false;
  // A sentinel. It watches no master until SENTINEL MONITOR.
  bool sentinel = false;
  // A node of a Redis Cluster, at first the only one. Only with tcp.
  bool cluster = false;
  // A folder with ca.pem, redis.pem and redis.key. Redis then also listens for
  // TLS, and requires a client certificate. Only with tcp.
  std::string tls_folder;
  // The password that Redis requires; Command() uses it. "": no password.
  std::string password;
  // More arguments of redis-server. They override the arguments of this class.
  std::vector<std::string> arguments;
};

// A real redis-server in its own folder, without persistence.
//
// Threads: Command() may be called by many threads at once.
// Lifetime: the server ends with this object, or with the thread that started
// it. Failure: if the server does not start, the running test fails. After a
// failed test the log of Redis is printed.
class RedisProcess {
 public:
  explicit RedisProcess(RedisProcessOptions options = {});
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;
  ~RedisProcess();

  // The addresses that Redis listens on. With tcp `socket` is empty, otherwise
  // `port` is 0. They stay the same after a restart.
  const std::string& socket() const { return socket_; }
  int port() const { return port_; }

  int tls_port() const { return tls_port_; }
  // The working folder, which contains nodes.conf.
  const std::string& folder() const { return folder_; }
  int cluster_port() const { return cluster_port_; }  // for other nodes

  // The address with tcp, as in a URL: 127.0.0.1:port.
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string tls_address() const {
    return "127.0.0.1:" + std::to_string(tls_port_);
  }

  // Sends SIGKILL and waits for the end of the server.
  void Kill();
  // Starts the server again after Kill(), without data. It answers when this
  // returns.
  void Start();

  // Send SIGSTOP and SIGCONT, and wait for their effect. A stopped server
  // accepts connections, but does not answer.
  void Stop();
  void Continue();

  // Sends one command on a new connection.
  RedisReply Command(const std::vector<std::string>& words) const;

  // The number of times that clients and Lua scripts have run the command since
  // the start.
  int64_t Calls(const std::string& command) const;

  // The log of Redis so far.
  std::string Log() const;

 private:
  void ChoosePorts();
  bool TryStart();
  std::vector<std::string> Arguments() const;
  void Run(std::vector<std::string> words);
  bool AnswersPing() const;

  const RedisProcessOptions options_;
  std::string folder_;
  std::string socket_;
  int port_ = 0;
  int tls_port_ = 0;
  int cluster_port_ = 0;
  pid_t pid_ = 0;  // 0 while the server does not run
};

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_REDIS_PROCESS_H_
