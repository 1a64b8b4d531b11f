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

// The regular files that `path` stands for: itself, or, when it is a folder,
// every regular file below it, sorted by path. Symbolic links are followed;
// files and folders whose name starts with a dot are left out, as a Kubernetes
// ConfigMap mount keeps its older copies there.
//
// Failure: NOT_FOUND, PERMISSION_DENIED, UNKNOWN; the message names the path.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& path);

}  // namespace rls

#endif  // RLS_BASE_FILES_H_
