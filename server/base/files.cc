#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

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

// Lists folders within the bounds of kMaxListedFiles and kMaxFolderEntries.
class Listing {
 public:
  absl::Status Add(const fs::path& folder, int depth) {
    // Without these bounds, symbolic links to an ancestor would never end.
    constexpr int kMaxDepth = 16;
    if (depth > kMaxDepth) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder.string(), ": folders nested too deeply"));
    }
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error)) {
      if (++entries_ > kMaxFolderEntries) {
        return absl::ResourceExhaustedError(
            absl::StrCat(folder.string(), ": more than ", kMaxFolderEntries,
                         " files and folders, or links in a circle"));
      }
      if (IsHidden(it->path())) continue;
      if (absl::Status status = AddEntry(*it, depth); !status.ok()) {
        return status;
      }
    }
    if (error) return Failed(folder.string(), error);
    return absl::OkStatus();
  }

  std::vector<std::string> TakeSorted() {
    std::sort(files_.begin(), files_.end());
    return std::move(files_);
  }

 private:
  absl::Status AddEntry(const fs::directory_entry& entry, int depth) {
    // A dangling link or a vanished file is skipped.
    std::error_code unused;
    if (entry.is_directory(unused)) return Add(entry.path(), depth + 1);
    if (!entry.is_regular_file(unused)) return absl::OkStatus();
    if (files_.size() == kMaxListedFiles) {
      return absl::ResourceExhaustedError(
          absl::StrCat(entry.path().parent_path().string(), ": more than ",
                       kMaxListedFiles, " files"));
    }
    files_.push_back(entry.path().string());
    return absl::OkStatus();
  }

  std::vector<std::string> files_;
  size_t entries_ = 0;
};

// Closes the descriptor at the end of its scope.
class Closer {
 public:
  explicit Closer(int file) : file_(file) {}
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer() {
    if (file_ >= 0) close(file_);
  }

 private:
  const int file_;
};

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes) {
  // O_NONBLOCK: to open a pipe or a device must not block. The type is that of
  // the open file, because the path may name another file by now.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const int error = errno;
  const Closer closer(file);
  if (file < 0 && error == ENOENT) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  if (file < 0 && error == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be read"));
  }
  // A socket cannot be opened.
  struct stat about = {};
  if (file < 0 && error != ENXIO) {
    return Failed(path, std::error_code(error, std::generic_category()));
  }
  if (file < 0 || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": not a regular file"));
  }
  std::string bytes;
  bytes.reserve(std::min(static_cast<size_t>(about.st_size), max_bytes));
  char block[64 << 10];
  // Reads up to one block more than allowed, to notice also a file that grows
  // while it is read.
  while (bytes.size() <= max_bytes) {
    const ssize_t got = read(file, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::UnknownError(absl::StrCat(path, ": reading failed"));
    }
    if (got == 0) return bytes;
    bytes.append(block, static_cast<size_t>(got));
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(path, ": larger than ", max_bytes, " bytes"));
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
  Listing listing;
  if (absl::Status listed = listing.Add(path, 0); !listed.ok()) return listed;
  return listing.TakeSorted();
}

}  // namespace rls
