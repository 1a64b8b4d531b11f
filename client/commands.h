#ifndef RLS_CLIENT_COMMANDS_H_
#define RLS_CLIENT_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "net/tls.h"

namespace rls {

// Exit statuses, fixed so that scripts can rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitOverLimit = 1;
inline constexpr int kExitBadConfig = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoAnswer = 3;

// Says what is in the files, or every mistake of every file on stderr.
int ValidateConfig(const std::vector<std::string>& paths);

struct TlsArguments {
  bool on = false;
  TlsOptions files;

  // Whoever names a file means it.
  bool wanted() const {
    return on || !files.ca_file.empty() || !files.certificate_file.empty() ||
           !files.key_file.empty() || !files.server_name.empty();
  }
};

struct CheckArguments {
  std::string address = "localhost:8081";
  TlsArguments tls;
  std::string domain;
  std::vector<std::string> descriptors;  // as ParseDescriptor() reads them
  uint64_t hits = 1;                     // 0 looks
  bool gives_back = false;               // hits are negative
  absl::Duration timeout = absl::Seconds(1);
  bool json = false;
};

// Asks a server for one decision and prints it.
int Check(const CheckArguments& arguments);

}  // namespace rls

#endif  // RLS_CLIENT_COMMANDS_H_
