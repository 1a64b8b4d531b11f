#include "config/load.h"

#include <yaml-cpp/depthguard.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

constexpr char kExpectedTop[] = "a map with domain or rate_limit";

// The first line, from 1, that is not text; 0 when all are.
int LineThatIsNotText(absl::string_view yaml) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(yaml, '\n')) {
    ++number;
    if (!IsUtf8(line) || line.find('\0') != line.npos) return number;
  }
  return 0;
}

// The parser's own words, and what they leave unsaid of an indentation.
std::string SyntaxText(absl::string_view yaml, const YAML::Exception& error) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(yaml, '\n')) {
    if (number++ < error.mark.line) continue;
    const size_t end = line.find_first_not_of(" \t");
    if (line.substr(0, end).find('\t') == line.npos) break;
    return absl::StrCat(error.msg, ": found a tab, expected spaces");
  }
  return error.msg;
}

// yaml-cpp throws; this is its fence for parsing. Gives the only document, or
// none after it has told `reader` why.
std::optional<YAML::Node> Parse(const std::string& yaml, YamlReader& reader) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.empty() || documents[0].IsNull()) {
      reader.Fail(YAML::Mark(),
                  absl::StrCat("the file is empty, expected ", kExpectedTop));
      return std::nullopt;
    }
    if (documents.size() > 1) {
      reader.Fail(documents[1], "found a second document, expected one");
      return std::nullopt;
    }
    return documents[0];
  } catch (const YAML::DeepRecursion& error) {
    reader.Fail(error.mark, absl::StrCat("nested deeper than ", kMaxConfigDepth,
                                         " levels"));
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    reader.Fail(error.mark, SyntaxText(yaml, error));
    return std::nullopt;
  }
}

// Neither format's key is at the top: a typo of one, as a rule.
void FailFormat(YamlReader& reader, const YAML::Node& root) {
  for (const auto& entry : root) {
    if (!entry.first.IsScalar()) continue;
    const std::string& name = entry.first.Scalar();
    const std::string hint =
        DidYouMean(name, {"domain", "descriptors", "rate_limit"});
    if (hint.empty()) continue;
    reader.Fail(entry.first, absl::StrCat("unknown key ", Quoted(name),
                                          " in the file", hint));
    return;
  }
  reader.Fail(root,
              "found neither domain (descriptors) nor rate_limit (user "
              "tiers) at the top, expected one of them");
}

// Where a file says which domain it holds.
int LineOfDomain(const YAML::Node& root) {
  const YAML::Node top = root["domain"] ? root["domain"] : root["rate_limit"];
  const bool is_inside = top.IsMap() && top["domain"];
  return (is_inside ? top["domain"] : top).Mark().line + 1;
}

// Expanded in both formats: a password does not belong in a file.
void ReadRedis(YamlReader& reader, const YAML::Node& root,
               absl::string_view origin, RedisPlace& redis) {
  const YAML::Node node = root["redis"];
  if (!node) return;
  const auto url = reader.Text(node, "redis");
  if (!url.has_value()) return;
  if (url->empty() || EscapeControls(*url) != *url) {
    // Not shown: it may hold a password.
    reader.Fail(node, "redis: expected a URL in one line");
    return;
  }
  redis = {.url = *url,
           .origin = absl::StrCat(origin, ":", node.Mark().line + 1)};
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
    plain.Unexpected(root, "the file", kExpectedTop);
  } else if (root["domain"] && root["rate_limit"]) {
    plain.Fail(
        root["rate_limit"],
        "domain and rate_limit are of two formats; expected one of them");
  } else if (root["rate_limit"]) {
    ReadTierFormat(expanding, root, file);
    ReadRedis(expanding, root, origin, file.redis);
  } else if (root["domain"] || root["descriptors"]) {
    ReadDescriptorFormat(plain, root, file);
    ReadRedis(expanding, root, origin, file.redis);
  } else {
    FailFormat(plain, root);
  }
  if (!file.domain_name.empty()) file.domain_line = LineOfDomain(root);
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

ConfigError DomainTwice(const LoadedFile& file, absl::string_view origin,
                        absl::string_view other) {
  return {.origin = std::string(origin),
          .line = file.domain_line,
          .text = absl::StrCat("domain ", Quoted(file.domain_name), " is in ",
                               other, " too, expected one file for it")};
}

void MergeRedis(const RedisPlace& said, RedisPlace& all,
                std::vector<ConfigError>& errors) {
  if (said.url.empty()) return;
  if (all.url.empty()) all = said;
  if (all.url == said.url) return;
  errors.push_back(
      {.origin = said.origin,
       .text = absl::StrCat("redis: found another place than in ", all.origin,
                            ", expected the same in all files")});
}

LoadedFile LoadConfig(absl::string_view yaml, absl::string_view origin,
                      const Environment& environment) {
  LoadedFile file;
  YamlReader reader(origin, nullptr);
  if (yaml.size() > kMaxConfigBytes) {
    reader.Fail(YAML::Mark::null_mark(),
                absl::StrCat("larger than ", kMaxConfigBytes, " bytes"));
  } else if (const int line = LineThatIsNotText(yaml); line != 0) {
    file.errors.push_back(
        {.origin = std::string(origin),
         .line = line,
         .text = "found bytes that are not UTF-8, or a NUL; expected text"});
  } else if (const auto root = Parse(std::string(yaml), reader)) {
    Read(*root, origin, environment, file);
  }
  for (ConfigError& error : reader.TakeErrors()) {
    file.errors.push_back(std::move(error));
  }
  std::stable_sort(file.errors.begin(), file.errors.end(),
                   [](const ConfigError& a, const ConfigError& b) {
                     return a.line < b.line;
                   });
  if (!file.errors.empty()) file.domain.reset();
  return file;
}

}  // namespace rls
