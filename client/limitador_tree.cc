#include "limitador_tree.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "limitador.h"

namespace rls {

bool ImportTree::FitTogether(const ImportedLimit& left,
                             const ImportedLimit& right) {
  const size_t common = std::min(left.entries.size(), right.entries.size());
  for (size_t i = 0; i < common; ++i) {
    const ImportedEntry& a = left.entries[i];
    const ImportedEntry& b = right.entries[i];
    if (!CanBothHold(a, b)) return true;
    // A counter that is shared by all values cannot be split among nodes.
    const bool same = a.shared() && b.shared() && a.except == b.except;
    if ((a.shared() || b.shared()) && !same) return false;
  }
  return left.entries.size() != right.entries.size();
}

bool ImportTree::Add(const std::vector<ImportedLimit>& limits) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (const ImportedLimit& limit : limits) {
      changed |= Grow(limit, 0, root_);
      if (nodes_ > kMaxImportedNodes) return false;
    }
  }
  return true;
}

ImportTree::Node& ImportTree::Child(Node& parent, const std::string& key,
                                    const std::string& value) {
  for (const auto& child : parent.children) {
    if (child->key == key && child->value == value) return *child;
  }
  ++nodes_;
  parent.children.push_back(std::make_unique<Node>());
  Node& child = *parent.children.back();
  child.key = key;
  child.value = value;
  return child;
}

bool ImportTree::Grow(const ImportedLimit& limit, size_t i, Node& parent) {
  if (nodes_ > kMaxImportedNodes) return false;
  if (i == limit.entries.size()) {
    if (parent.limit != nullptr) return false;
    parent.limit = &limit;
    return true;
  }
  const size_t nodes_before = nodes_;
  const ImportedEntry& entry = limit.entries[i];
  for (const std::string& value : entry.except) {
    (void)Child(parent, entry.key, value);
  }
  Node& own =
      Child(parent, entry.key, entry.shared() ? "*" : entry.equal.value_or(""));
  own.shared = entry.shared();
  bool changed = Grow(limit, i + 1, own);
  if (entry.counted && !entry.equal.has_value()) {
    for (const auto& child : parent.children) {
      const bool is_exact = !child->value.empty() && !child->shared;
      if (child->key == entry.key && is_exact &&
          !std::binary_search(entry.except.begin(), entry.except.end(),
                              child->value)) {
        changed |= Grow(limit, i + 1, *child);
      }
    }
  }
  return changed || nodes_ > nodes_before;
}

std::string ImportTree::ToYaml() const {
  std::string text;
  Print(root_, "", text);
  return text;
}

void ImportTree::Print(const Node& parent, const std::string& indent,
                       std::string& text) {
  absl::StrAppend(&text, indent, "descriptors:\n");
  for (const auto& child : parent.children) {
    absl::StrAppend(&text, indent, "  - key: ", YamlText(child->key), "\n");
    const std::string inner = indent + "    ";
    if (!child->value.empty()) {
      absl::StrAppend(&text, inner, "value: ", YamlText(child->value), "\n");
    }
    if (child->shared) absl::StrAppend(&text, inner, "share_threshold: true\n");
    if (child->limit != nullptr) {
      const ImportedLimit& limit = *child->limit;
      absl::StrAppend(&text, inner, "rate_limit: {", WindowKeys(limit.seconds),
                      ", requests_per_unit: ", limit.limit);
      if (!limit.name.empty()) {
        absl::StrAppend(&text, ", name: ", YamlText(limit.name));
      }
      absl::StrAppend(&text, "}  # line ", limit.line, "\n");
    }
    if (!child->children.empty()) Print(*child, inner, text);
  }
}

std::string YamlText(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", absl::string_view(&c, 1));
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppend(&quoted, "\\x",
                      absl::BytesToHexString(absl::string_view(&c, 1)));
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

}  // namespace rls
