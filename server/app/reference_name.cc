#include "app/reference_name.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"

namespace rls {

bool IsReferenceName(const char* program) {
  const absl::string_view path(program);
  return path.substr(path.rfind('/') + 1) == "ratelimit";
}

std::vector<std::string> IgnoredArguments(int argc, const char* const* argv) {
  std::vector<std::string> warnings;
  if (argc == 0 || !IsReferenceName(argv[0])) return warnings;
  for (int i = 1; i < argc; ++i) {
    warnings.push_back(absl::StrCat(
        "ratelimit: argument ", Quoted(argv[i]),
        " is ignored: under this name settings come from the environment"));
  }
  return warnings;
}

std::vector<std::string> NotesOnReference(int argc, const char* const* argv,
                                          const Environment& environment) {
  const auto is_set = [&environment](const char* name) {
    return !environment(name).value_or("").empty();
  };
  std::vector<std::string> notes;
  // Envoy Gateway sets it.
  if (is_set("GRPC_SERVER_TLS_CA_CERT")) {
    notes.emplace_back(
        "GRPC_SERVER_TLS_CA_CERT has no effect: only GRPC_CLIENT_TLS_CACERT "
        "makes the server demand client certificates");
  }
  if (argc > 0 && IsReferenceName(argv[0]) && !is_set("DEBUG_HOST")) {
    notes.emplace_back(
        "the debug port is open to this machine only; set DEBUG_HOST to open "
        "it to others");
  }
  return notes;
}

}  // namespace rls
