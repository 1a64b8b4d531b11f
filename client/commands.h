#ifndef RLS_CLIENT_COMMANDS_H_
#define RLS_CLIENT_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "net/tls.h"

namespace rls {

// Exit statuses. They never change, so scripts can rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitOverLimit = 1;
inline constexpr int kExitBadConfig = 1;
inline constexpr int kExitIncomplete = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoAnswer = 3;

// Prints a summary of the files on stdout, or all errors of all files on
// stderr.
int ValidateConfig(const std::vector<std::string>& paths);

struct TlsArguments {
  bool on = false;
  TlsOptions files;

  // True also if only a file or a name is given, which implies TLS.
  bool wanted() const {
    return on || !files.ca_file.empty() || !files.certificate_file.empty() ||
           !files.key_file.empty() || !files.server_name.empty();
  }
};

struct CheckArguments {
  std::string address = "localhost:8081";
  TlsArguments tls;
  std::string domain;
  std::vector<std::string> descriptors;  // the syntax of ParseDescriptor()
  uint64_t hits = 1;                     // 0 reads without charging
  bool gives_back = false;               // true: negative hits
  absl::Duration timeout = absl::Seconds(1);
  bool json = false;
};

struct ImportArguments {
  std::string file;
  std::string folder;  // "": print all domains on stdout
};

// Translates a limits file of limitador into descriptor files. Lists on stderr
// each limit that is left out or needs a change of the gateway, and then
// returns kExitIncomplete. kExitUsage: the file is no limits file, or a file of
// the folder exists.
int ImportLimitador(const ImportArguments& arguments);

struct DumpArguments {
  std::string address = "localhost:6070";  // of the debug port
  absl::Duration timeout = absl::Seconds(5);
  bool json = false;
};

// Prints the configuration that a server has, and where it comes from.
int DumpConfig(const DumpArguments& arguments);

// Gets one decision from a server and prints it.
int Check(const CheckArguments& arguments);

}  // namespace rls

#endif  // RLS_CLIENT_COMMANDS_H_
