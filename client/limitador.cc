#include "limitador.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "limitador_limit.h"
#include "limitador_tree.h"

namespace rls {
namespace {

absl::Status NoLimitsFile(absl::string_view origin, int line,
                          absl::string_view text) {
  return absl::InvalidArgumentError(
      ConfigError{std::string(origin), line, std::string(text)}.ToString());
}

// Parses the text into `tree`.
absl::Status ParseList(const std::string& text, absl::string_view origin,
                       YamlTree& tree) {
  if (!IsUtf8(text)) return NoLimitsFile(origin, 0, "the file is not UTF-8");
  if (const auto fault = tree.Parse(text, nullptr)) {
    return NoLimitsFile(origin, fault->line, fault->text);
  }
  if (tree.further_line() != 0) {
    return NoLimitsFile(origin, tree.further_line(),
                        "found a second document, expected one");
  }
  const YamlNode list = tree.root();
  if (list.IsMap()) {
    return NoLimitsFile(origin, list.line(),
                        "found a map, expected a list of limits; of a "
                        "ConfigMap give the text under data:");
  }
  if (!list.IsSequence()) {
    return NoLimitsFile(origin, std::max(1, list.line()),
                        "expected a list of limits");
  }
  if (list.size() > kMaxImportedLimits) {
    return NoLimitsFile(
        origin, 0, absl::StrCat("more than ", kMaxImportedLimits, " limits"));
  }
  return absl::OkStatus();
}

// One entry as a person writes it: `user`, `path=/a`, `path!=/a`.
std::string EntryText(const ImportedEntry& entry) {
  std::string text = EscapeControls(entry.key);
  if (entry.equal.has_value()) {
    absl::StrAppend(&text, "=", EscapeControls(*entry.equal));
  }
  for (const std::string& value : entry.except) {
    absl::StrAppend(&text, "!=", EscapeControls(value));
  }
  return text;
}

std::string DescriptorText(const ImportedLimit& limit) {
  return absl::StrJoin(limit.entries, ", ",
                       [](std::string* out, const ImportedEntry& entry) {
                         out->append(EntryText(entry));
                       });
}

// Translates the limits of one domain.
class DomainTranslator {
 public:
  DomainTranslator(absl::string_view origin, std::vector<ConfigError>& notes)
      : origin_(origin), notes_(notes) {}

  // Adds nothing to `domains` if no limit can be translated.
  void Translate(std::vector<ImportedLimit> limits,
                 std::vector<TranslatedDomain>& domains) {
    limits_ = std::move(limits);
    DropRepeated();
    SortEntries();
    KeepApart();
    NoteSubsets();
    ImportTree tree;
    if (!tree.Add(limits_)) {
      Note(limits_[0],
           absl::StrCat("the limits of this namespace need more than ",
                        kMaxImportedNodes, " descriptors"));
      return;
    }
    std::string yaml = absl::StrCat(
        "# Translated from ", EscapeControls(origin_),
        ". The gateway must send these descriptors, with the\n# entries in "
        "this order; != means any value except this one:\n");
    for (const ImportedLimit& limit : limits_) {
      absl::StrAppend(&yaml, "#   ", DescriptorText(limit), "  (line ",
                      limit.line, ")\n");
    }
    const std::string& name = limits_[0].domain;
    absl::StrAppend(&yaml, "domain: ", YamlText(name), "\n", tree.ToYaml());
    domains.push_back({.name = name, .yaml = std::move(yaml)});
  }

 private:
  void Note(const ImportedLimit& limit, absl::string_view text) {
    notes_.push_back({std::string(origin_), limit.line, std::string(text)});
  }

  // The order of conditions and variables has no meaning in a limits file. All
  // limits use the order in which the file first names the keys.
  void SortEntries() {
    std::map<std::string, size_t> ranks;
    for (const ImportedLimit& limit : limits_) {
      for (const ImportedEntry& entry : limit.entries) {
        ranks.emplace(entry.key, ranks.size());
      }
    }
    for (ImportedLimit& limit : limits_) {
      std::sort(limit.entries.begin(), limit.entries.end(),
                [&ranks](const ImportedEntry& a, const ImportedEntry& b) {
                  return ranks.at(a.key) < ranks.at(b.key);
                });
    }
  }

  // limitador takes limits that differ only in max_value and name for one, and
  // keeps the first.
  void DropRepeated() {
    std::map<std::pair<int64_t, std::set<std::string>>, int> lines;
    std::vector<ImportedLimit> kept;
    for (ImportedLimit& limit : limits_) {
      const auto [first, is_new] = lines.emplace(
          std::pair(limit.seconds, limit.expressions), limit.line);
      if (is_new) {
        kept.push_back(std::move(limit));
      } else {
        Note(limit,
             absl::StrCat("left out: the same conditions, variables and "
                          "seconds as in line ",
                          first->second, "; limitador uses only the first"));
      }
    }
    limits_ = std::move(kept);
  }

  // Notes each limit that limitador applies to the requests of a limit with
  // more entries, too.
  void NoteSubsets() {
    for (const ImportedLimit& limit : limits_) {
      for (const ImportedLimit& larger : limits_) {
        if (limit.apart || !IsSubset(limit, larger)) continue;
        Note(limit,
             absl::StrCat("limitador also applies this limit to the requests "
                          "of line ",
                          larger.line,
                          "; the gateway must send a descriptor of its own for "
                          "it: ",
                          DescriptorText(limit)));
        break;
      }
    }
  }

  static bool IsSubset(const ImportedLimit& limit,
                       const ImportedLimit& larger) {
    const size_t extra = larger.apart ? 1 : 0;
    if (limit.entries.size() + extra >= larger.entries.size()) return false;
    return std::all_of(limit.entries.begin(), limit.entries.end(),
                       [&larger](const ImportedEntry& entry) {
                         return std::any_of(
                             larger.entries.begin(), larger.entries.end(),
                             [&entry](const ImportedEntry& other) {
                               return CanBothHold(entry, other);
                             });
                       });
  }

  // Gives each limit that does not fit beside the ones before it an entry in
  // front.
  void KeepApart() {
    for (size_t i = 0; i < limits_.size(); ++i) {
      ImportedLimit& limit = limits_[i];
      const auto other = std::find_if(
          limits_.begin(), limits_.begin() + static_cast<ptrdiff_t>(i),
          [&limit](const ImportedLimit& earlier) {
            return !ImportTree::FitTogether(earlier, limit);
          });
      const bool fits = other == limits_.begin() + static_cast<ptrdiff_t>(i);
      if (fits && !limit.entries.empty()) continue;
      const std::string reason =
          limit.entries.empty()
              ? "the limit has neither conditions nor variables"
              : absl::StrCat(
                    "one request can meet this limit and that of line ",
                    other->line);
      limit.entries.insert(
          limit.entries.begin(),
          {.key = "generic_key",
           .equal = absl::StrCat("limitador-limit-", limit.number),
           .except = {}});
      limit.apart = true;
      Note(limit,
           absl::StrCat(reason, "; the gateway must send one more descriptor: ",
                        DescriptorText(limit)));
    }
  }

  const absl::string_view origin_;
  std::vector<ConfigError>& notes_;
  std::vector<ImportedLimit> limits_;
};

}  // namespace

absl::StatusOr<Translation> TranslateLimitador(const std::string& text,
                                               absl::string_view origin) {
  YamlTree tree;
  if (absl::Status read = ParseList(text, origin, tree); !read.ok()) {
    return read;
  }
  Translation result;
  std::vector<std::string> names;  // in the order of the file
  std::map<std::string, std::vector<ImportedLimit>> by_domain;
  int number = 0;
  for (const YamlNode& item : tree.root().Items()) {
    ++number;
    auto limit = ReadImportedLimit(item, origin, result.notes);
    if (!limit.has_value()) continue;
    limit->number = number;
    std::vector<ImportedLimit>& limits = by_domain[limit->domain];
    if (limits.empty()) names.push_back(limit->domain);
    limits.push_back(*std::move(limit));
  }
  for (const std::string& name : names) {
    DomainTranslator(origin, result.notes)
        .Translate(std::move(by_domain[name]), result.domains);
  }
  std::stable_sort(result.notes.begin(), result.notes.end(),
                   [](const ConfigError& a, const ConfigError& b) {
                     return a.line < b.line;
                   });
  return result;
}

}  // namespace rls
