#include "config/fingerprint.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "limit/counter_key.h"
#include "limit/key_hash.h"

namespace rls {
namespace {

void AppendFile(const std::string& path, std::string& fingerprint) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  struct stat about = {};
  if (error || stat(path.c_str(), &about) != 0) {
    absl::StrAppend(&fingerprint, path, " gone\n");
    return;
  }
  absl::StrAppend(&fingerprint, path, " ", real.string(), " ", about.st_dev,
                  " ", about.st_ino, " ", about.st_size, " ",
                  about.st_mtim.tv_sec, " ", about.st_mtim.tv_nsec, " ",
                  // Moves with rights too, and whoever sets the time above
                  // back (cp -p, rsync -t) cannot set this one.
                  about.st_ctim.tv_sec, " ", about.st_ctim.tv_nsec, "\n");
}

}  // namespace

std::string Fingerprint(const std::vector<std::string>& paths) {
  std::string fingerprint;
  for (const std::string& path : paths) {
    const auto files = ListFiles(path);
    if (!files.ok()) {
      absl::StrAppend(&fingerprint, path, " ", files.status().message(), "\n");
      continue;
    }
    for (const std::string& file : *files) AppendFile(file, fingerprint);
  }
  return fingerprint;
}

std::string ContentHash(const std::vector<std::string>& texts) {
  const std::vector<absl::string_view> parts(texts.begin(), texts.end());
  // Not a secret: it only has to tell contents apart.
  const Hash128 hash = HashKey(HashSeed{}, {.scope = "config", .parts = parts});
  return absl::StrCat(absl::Hex(hash.low, absl::kZeroPad16));
}

}  // namespace rls
