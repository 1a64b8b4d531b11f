#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "commands.h"
#include "limitador.h"

namespace rls {
namespace {

int FailUsage(absl::string_view text) {
  std::fprintf(stderr, "%s\n", std::string(text).c_str());
  return kExitUsage;
}

// The file of a domain. Different domains have different files. No file is
// hidden or outside the folder.
std::string FileName(absl::string_view domain) {
  std::string name;
  for (const char c : domain) {
    if (c == '/' || c == '%' || (c == '.' && name.empty())) {
      absl::StrAppend(&name, "%",
                      absl::BytesToHexString(absl::string_view(&c, 1)));
    } else {
      name.push_back(c);
    }
  }
  return name + ".yaml";
}

// Never replaces a file, which may have been edited by hand.
absl::Status WriteNew(const std::string& path, const std::string& text) {
  std::FILE* const file = std::fopen(path.c_str(), "wx");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", path));
  }
  const bool wrote =
      std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (wrote && closed) return absl::OkStatus();
  (void)std::remove(path.c_str());
  return absl::UnknownError(absl::StrCat("cannot write ", path));
}

// Writes one file for each domain. On failure it leaves no new file.
absl::Status WriteAll(const std::vector<TranslatedDomain>& domains,
                      const std::string& folder) {
  std::vector<std::string> paths;
  for (const TranslatedDomain& domain : domains) {
    paths.push_back(absl::StrCat(folder, "/", FileName(domain.name)));
    absl::Status written = WriteNew(paths.back(), domain.yaml);
    if (written.ok()) continue;
    paths.pop_back();
    for (const std::string& path : paths) (void)std::remove(path.c_str());
    return written;
  }
  return absl::OkStatus();
}

void PrintAll(const std::vector<TranslatedDomain>& domains) {
  const char* separator = "";
  for (const TranslatedDomain& domain : domains) {
    std::fprintf(stdout, "%s%s", separator, domain.yaml.c_str());
    separator = "---\n";
  }
}

}  // namespace

int ImportLimitador(const ImportArguments& arguments) {
  const auto text = ReadFile(arguments.file, kMaxConfigBytes);
  if (!text.ok()) return FailUsage(text.status().message());
  const auto translation = TranslateLimitador(*text, arguments.file);
  if (!translation.ok()) return FailUsage(translation.status().message());
  if (arguments.folder.empty()) {
    PrintAll(translation->domains);
  } else {
    const absl::Status written =
        WriteAll(translation->domains, arguments.folder);
    if (!written.ok()) return FailUsage(written.message());
  }
  for (const ConfigError& note : translation->notes) {
    std::fprintf(stderr, "%s\n", note.ToString().c_str());
  }
  return translation->notes.empty() ? kExitOk : kExitIncomplete;
}

}  // namespace rls
