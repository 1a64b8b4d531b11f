#include "config/load.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/descriptor_format.h"
#include "config/tier_format.h"
#include "config/yaml_reader.h"

namespace rls {
namespace {

// Nodes of a file, each counted as often as an alias names it.
constexpr size_t kMaxNodes = 20'000'000;

// Checks that the tree can be walked in bounded time and depth: aliases can
// make a small file huge, or endless.
bool IsBounded(const YAML::Node& node, int depth, size_t& nodes) {
  if (depth > kMaxConfigDepth || ++nodes > kMaxNodes) return false;
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      if (!IsBounded(item, depth + 1, nodes)) return false;
    }
  }
  if (node.IsMap()) {
    for (const auto& entry : node) {
      if (!IsBounded(entry.first, depth + 1, nodes) ||
          !IsBounded(entry.second, depth + 1, nodes)) {
        return false;
      }
    }
  }
  return true;
}

// yaml-cpp throws; this is its fence for parsing. Gives the only document, or
// none after it has told `reader` why.
std::optional<YAML::Node> Parse(const std::string& yaml, YamlReader& reader) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.empty() || documents[0].IsNull()) {
      reader.Fail(YAML::Mark::null_mark(), "the file is empty");
      return std::nullopt;
    }
    if (documents.size() > 1) {
      reader.Fail(documents[1], "found a second document, expected one");
      return std::nullopt;
    }
    return documents[0];
  } catch (const YAML::Exception& error) {
    reader.Fail(error.mark, error.msg);
    return std::nullopt;
  }
}

void Read(const YAML::Node& root, absl::string_view origin,
          const Environment& environment, LoadedFile& file) {
  YamlReader plain(origin, nullptr);
  YamlReader expanding(origin, &environment);
  size_t nodes = 0;
  if (!IsBounded(root, 0, nodes)) {
    plain.Fail(root, absl::StrCat("nested deeper than ", kMaxConfigDepth,
                                  " levels, or aliases make it too large"));
  } else if (!root.IsMap()) {
    plain.Unexpected(root, "the file", "a map with domain or rate_limit");
  } else if (root["domain"] && root["rate_limit"]) {
    plain.Fail(
        root["rate_limit"],
        "domain and rate_limit are of two formats; expected one of them");
  } else if (root["rate_limit"]) {
    ReadTierFormat(expanding, root, file);
  } else if (root["domain"] || root["descriptors"]) {
    ReadDescriptorFormat(plain, root, file);
  } else {
    plain.Fail(root,
               "found neither domain (descriptors) nor rate_limit (user "
               "tiers) at the top, expected one of them");
  }
  file.errors = plain.TakeErrors();
  for (ConfigError& error : expanding.TakeErrors()) {
    file.errors.push_back(std::move(error));
  }
}

}  // namespace

std::string ConfigError::ToString() const {
  return line == 0 ? absl::StrCat(origin, ": ", text)
                   : absl::StrCat(origin, ":", line, ": ", text);
}

LoadedFile LoadConfig(absl::string_view yaml, absl::string_view origin,
                      const Environment& environment) {
  LoadedFile file;
  YamlReader reader(origin, nullptr);
  if (yaml.size() > kMaxConfigBytes) {
    reader.Fail(YAML::Mark::null_mark(),
                absl::StrCat("larger than ", kMaxConfigBytes, " bytes"));
  } else if (!IsUtf8(yaml) || yaml.find('\0') != yaml.npos) {
    reader.Fail(YAML::Mark::null_mark(),
                "not text: invalid UTF-8, or a NUL byte");
  } else if (const auto root = Parse(std::string(yaml), reader)) {
    Read(*root, origin, environment, file);
  }
  for (ConfigError& error : reader.TakeErrors()) {
    file.errors.push_back(std::move(error));
  }
  if (!file.errors.empty()) file.domain.reset();
  return file;
}

}  // namespace rls
