#ifndef RLS_BASE_FILES_H_
#define RLS_BASE_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rls {

// The bytes of a regular file.
//
// Failure: NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION (a folder, a
// device), RESOURCE_EXHAUSTED (more than `max_bytes`), UNKNOWN; the message
// names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// A folder with more regular files, or with more entries in all, is refused.
inline constexpr size_t kMaxListedFiles = 10'000;
inline constexpr size_t kMaxFolderEntries = 100'000;

// The regular files that `path` names: the file itself, or, for a folder, every
// regular file below it, sorted by path. Symbolic links are followed. Files and
// folders whose name starts with a dot are left out, because a Kubernetes
// ConfigMap mount keeps older copies in such a folder.
//
// Failure: NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (too many files),
// UNKNOWN; the message names the path.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& path);

}  // namespace rls

#endif  // RLS_BASE_FILES_H_
