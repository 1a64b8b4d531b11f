#include "store_redis/redis_target.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "base/files.h"

namespace rls {
namespace {

constexpr size_t kMaxPasswordBytes = 64 << 10;

}  // namespace

absl::StatusOr<std::string> RedisCredentials::CurrentPassword() const {
  if (password_file.empty()) return password;
  absl::StatusOr<std::string> text = ReadFile(password_file, kMaxPasswordBytes);
  if (text.ok()) absl::StripTrailingAsciiWhitespace(&*text);
  return text;
}

}  // namespace rls
