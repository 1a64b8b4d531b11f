#include "config/load.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/text.h"
#include "config/descriptor_format.h"
#include "config/tier_format.h"
#include "config/yaml_reader.h"
#include "config/yaml_tree.h"

namespace rls {
namespace {

constexpr char kExpectedTop[] = "a map with domain or rate_limit";

// The first line that the YAML parser must not see, as a fault.
std::optional<YamlFault> FaultOfLines(absl::string_view yaml) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(yaml, '\n')) {
    ++number;
    if (!IsUtf8(line) || absl::StrContains(line, '\0')) {
      return YamlFault{
          .line = number,
          .text = "found bytes that are not UTF-8, or a NUL; expected text"};
    }
    // The time that the parser needs for n of these lines grows with n * n.
    if (absl::StartsWith(line, "%TAG")) {
      return YamlFault{.line = number, .text = "%TAG is not supported"};
    }
  }
  return std::nullopt;
}

// The bounds of the bytes and lines, then those of the parser.
std::optional<YamlFault> Parse(absl::string_view yaml,
                               const std::atomic<bool>* stop, YamlTree& tree) {
  if (yaml.size() > kMaxConfigBytes) {
    return YamlFault{
        .text = absl::StrCat("larger than ", kMaxConfigBytes, " bytes")};
  }
  if (auto fault = FaultOfLines(yaml)) return fault;
  if (auto fault = tree.Parse(yaml, stop)) return fault;
  if (!tree.root().IsNull()) return std::nullopt;
  return YamlFault{
      .line = 1,
      .text = absl::StrCat("the file is empty, expected ", kExpectedTop)};
}

// Adds the error of a file without the top-level key of a format. Usually the
// key is misspelled.
void FailFormat(YamlReader& reader, const YamlNode& root) {
  if (root["apiVersion"] && root["kind"]) {
    reader.Fail(root,
                "found a Kubernetes manifest, expected rules; give what is "
                "under data: of the ConfigMap");
    return;
  }
  size_t looked_at = 0;
  for (const auto& entry : root.Entries()) {
    if (++looked_at > kMaxConfigErrors) break;
    if (!entry.first.IsScalar()) continue;
    const absl::string_view name = entry.first.Scalar();
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

// The line that names the domain of a file.
int LineOfDomain(const YamlNode& root) {
  const YamlNode top = root["domain"] ? root["domain"] : root["rate_limit"];
  const bool is_inside = top.IsMap() && top["domain"];
  return (is_inside ? top["domain"] : top).line();
}

// `${NAME}` is expanded in both formats, because a password should not be in a
// file.
void ReadRedis(YamlReader& reader, const YamlNode& root,
               absl::string_view origin, RedisPlace& redis) {
  const YamlNode node = root["redis"];
  if (!node) return;
  const auto url = reader.Text(node, "redis");
  if (!url.has_value()) return;
  if (url->empty() || EscapeControls(*url) != *url) {
    // The error does not show the URL, which may contain a password.
    reader.Fail(node, "redis: expected a URL in one line");
    return;
  }
  redis = {.url = *url, .origin = absl::StrCat(origin, ":", node.line())};
}

// envoyproxy/ratelimit reads the first document of a file only.
void CheckIsLast(YamlReader& reader, const YamlTree& tree, bool takes_more) {
  const int line = tree.further_line();
  if (line == 0) return;
  if (takes_more) {
    reader.WarnAt(line,
                  "the text from here to the end of the file is ignored: "
                  "a file is one document");
  } else {
    reader.FailAt(line, "found a second document, expected one");
  }
}

// In a file with `descriptors`, a `rate_limit` at the top has no meaning.
bool IsOfTwoFormats(const YamlNode& root) {
  return root["domain"] && root["rate_limit"] && !root["descriptors"];
}

void Read(const YamlTree& tree, absl::string_view origin,
          const Environment& environment, const std::atomic<bool>* stop,
          LoadedFile& file) {
  const YamlNode root = tree.root();
  YamlReader literal(origin, nullptr, stop);
  YamlReader expanding(origin, &environment, stop);
  if (!root.IsMap()) {
    literal.Unexpected(root, "the file", kExpectedTop);
  } else if (IsOfTwoFormats(root)) {
    literal.Fail(
        root["rate_limit"],
        "domain and rate_limit are of two formats; expected one of them");
  } else if (root["rate_limit"] && !root["domain"]) {
    ReadTierFormat(expanding, root, file);
    ReadRedis(expanding, root, origin, file.redis);
  } else if (root["domain"] || root["descriptors"]) {
    ReadDescriptorFormat(literal, root, file);
    ReadRedis(expanding, root, origin, file.redis);
  } else {
    FailFormat(literal, root);
  }
  CheckIsLast(literal, tree, literal.takes_mistakes());
  if (!file.domain_name.empty()) file.domain_line = LineOfDomain(root);
  file.errors = literal.TakeErrors();
  for (ConfigError& error : expanding.TakeErrors()) {
    file.errors.push_back(std::move(error));
  }
  SortByLine(file.errors);
  file.warnings = literal.TakeWarnings();
}

}  // namespace

std::string ConfigError::ToString() const {
  return line == 0 ? absl::StrCat(origin, ": ", text)
                   : absl::StrCat(origin, ":", line, ": ", text);
}

ConfigError DomainTwice(absl::string_view domain, ConfigError place,
                        absl::string_view other) {
  place.text = absl::StrCat("domain ", Quoted(domain), " is in ", other,
                            " too, expected one file for it");
  return place;
}

void MergeRedis(const RedisPlace& file, RedisPlace& all,
                std::vector<ConfigError>& errors) {
  if (file.url.empty()) return;
  if (all.url.empty()) all = file;
  if (all.url == file.url) return;
  errors.push_back(
      {.origin = file.origin,
       .text = absl::StrCat("redis: found another place than in ", all.origin,
                            ", expected the same in all files")});
}

std::optional<std::string> ProcessEnvironment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

LoadedFile LoadConfig(absl::string_view yaml, absl::string_view origin,
                      const Environment& environment,
                      const std::atomic<bool>* stop) {
  LoadedFile file;
  YamlTree tree;
  if (auto fault = Parse(yaml, stop, tree)) {
    file.errors.push_back({.origin = std::string(origin),
                           .line = fault->line,
                           .text = std::move(fault->text)});
  } else {
    Read(tree, origin, environment, stop, file);
    if (stop != nullptr && *stop) {
      file.errors.push_back(
          {.origin = std::string(origin), .text = std::string(kReadingEnded)});
    }
  }
  if (!file.errors.empty()) file.domain.reset();
  return file;
}

}  // namespace rls
