#include "base/files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rls {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(absl::string_view path, const std::error_code& error) {
  return absl::Status(absl::ErrnoToStatusCode(error.value()),
                      absl::StrCat(path, ": ", error.message()));
}

bool IsHidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return !name.empty() && name[0] == '.';
}

absl::Status ListInto(const fs::path& folder, int depth,
                      std::vector<std::string>& files) {
  // A symbolic link to an ancestor would otherwise never end.
  constexpr int kMaxDepth = 16;
  if (depth > kMaxDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder.string(), ": folders nested too deeply"));
  }
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (IsHidden(it->path())) continue;
    std::error_code unused;  // A dangling link or a vanished file is no file.
    if (it->is_directory(unused)) {
      if (absl::Status status = ListInto(it->path(), depth + 1, files);
          !status.ok()) {
        return status;
      }
    } else if (it->is_regular_file(unused)) {
      files.push_back(it->path().string());
    }
  }
  if (error) return Failed(folder.string(), error);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error && status.type() != fs::file_type::not_found) {
    return Failed(path, error);
  }
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  if (status.type() != fs::file_type::regular) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": not a regular file"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be read"));
  }
  std::string bytes;
  char block[16 << 10];
  // One block more than allowed, so that a file that grows while it is read is
  // still noticed.
  while (bytes.size() <= max_bytes && file) {
    file.read(block, sizeof(block));
    bytes.append(block, static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) {
    return absl::UnknownError(absl::StrCat(path, ": reading failed"));
  }
  if (bytes.size() > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": larger than ", max_bytes, " bytes"));
  }
  return bytes;
}

absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file or folder"));
  }
  if (error) return Failed(path, error);
  if (status.type() != fs::file_type::directory) {
    return std::vector<std::string>{path};
  }
  std::vector<std::string> files;
  if (absl::Status listed = ListInto(path, 0, files); !listed.ok()) {
    return listed;
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace rls
