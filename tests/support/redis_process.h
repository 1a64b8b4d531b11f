#ifndef RLS_TESTS_SUPPORT_REDIS_PROCESS_H_
#define RLS_TESTS_SUPPORT_REDIS_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fake_clock.h"

namespace rls {

// What Redis answers to one command.
struct RedisReply {
  enum class Kind { kNone, kNil, kInteger, kText, kArray, kError };

  Kind kind = Kind::kNone;  // kNone: no answer; `text` says why
  int64_t integer = 0;
  std::string text;  // of kText (a status too), kError and kNone
  std::vector<RedisReply> elements;

  bool ok() const { return kind != Kind::kNone && kind != Kind::kError; }
};

struct RedisProcessOptions {
  // The wall clock that Redis sees; the machine's when null.
  const FakeClock* clock = nullptr;
  // A free port of 127.0.0.1 instead of a Unix socket.
  bool tcp = false;
  // A sentinel, which watches nothing yet: SENTINEL MONITOR tells it what.
  bool sentinel = false;
  // A node of a cluster, alone at first. Only with tcp.
  bool cluster = false;
  // A folder with ca.pem, redis.pem and redis.key: it listens for TLS, too, and
  // wants a certificate of who comes. Only with tcp.
  std::string tls_folder;
  // Asked for; Command() knows it. "": none.
  std::string password;
  // As on redis-server's command line; they win over those of this class.
  std::vector<std::string> arguments;
};

// A real redis-server in a folder of its own, which keeps nothing on disk. It
// ends with this object, and with the thread that has started it.
//
// Threads: Command() may be called by many threads at once.
// Failure: what cannot be started fails the test that runs; after a test that
// has failed, the log of Redis is printed.
class RedisProcess {
 public:
  explicit RedisProcess(RedisProcessOptions options = {});
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;
  ~RedisProcess();

  // Where it listens: `socket` is empty with tcp, else `port` is 0. They stay
  // the same when it is started again.
  const std::string& socket() const { return socket_; }
  int port() const { return port_; }

  int tls_port() const { return tls_port_; }
  // Where it works, and reads nodes.conf.
  const std::string& folder() const { return folder_; }
  int cluster_port() const { return cluster_port_; }  // for other nodes

  // Where it is with tcp, as in a URL: 127.0.0.1:port.
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string tls_address() const {
    return "127.0.0.1:" + std::to_string(tls_port_);
  }

  // SIGKILL; it is gone when this returns.
  void Kill();
  // Starts it again after Kill(), empty; it answers when this returns.
  void Start();

  // SIGSTOP and SIGCONT; done when this returns. While it is stopped it still
  // accepts connections and answers nothing.
  void Stop();
  void Continue();

  // One command on a connection of its own.
  RedisReply Command(const std::vector<std::string>& words) const;

  // How often the command has been called since the start, over all clients.
  // Those that Lua scripts make are counted, too.
  int64_t Calls(const std::string& command) const;

  // What it has logged so far.
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
  pid_t pid_ = 0;  // 0 when it does not run
};

}  // namespace rls

#endif  // RLS_TESTS_SUPPORT_REDIS_PROCESS_H_
