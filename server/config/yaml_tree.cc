#include "config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config/load.h"

namespace rls {
namespace {

// An anchor takes more memory than a node.
constexpr size_t kMaxAnchors = 100'000;

int LineOf(const YAML::Mark& mark) { return mark.line + 1; }

// The text of a file, for the parser. The parser remembers all words of a list
// or map in brackets until it ends, 70 bytes or more for each byte of the text.
// So the text ends early if the parser reads kMaxPendingBytes without an event.
//
// A comment follows the last line break. Without it, the parser takes a text
// whose quote is never closed.
class Source final : public std::streambuf {
 public:
  explicit Source(absl::string_view yaml) {
    // The base class takes no const memory, but only reads it here.
    char* const begin = const_cast<char*>(yaml.data());
    setg(begin, begin, begin + yaml.size());
    const size_t last = yaml.find_last_not_of(" \t");
    if (last == yaml.npos || yaml[last] != '\n') return;
    comment_ = last + 1 == yaml.size() ? "#" : "\n#";
  }

  // The parser has made an event of the bytes that it has read.
  void OnEvent() { pending_ = 0; }
  bool ended_early() const { return ended_early_; }

 private:
  std::streamsize xsgetn(char* into, std::streamsize size) override {
    const std::streamsize taken = std::streambuf::xsgetn(into, size);
    pending_ += static_cast<size_t>(taken);
    if (pending_ > kMaxPendingBytes) {
      ended_early_ = true;
      return 0;
    }
    if (taken > 0 || comment_.empty()) return taken;
    const size_t copied = comment_.copy(into, static_cast<size_t>(size));
    comment_.remove_prefix(copied);
    return static_cast<std::streamsize>(copied);
  }

  absl::string_view comment_;  // the rest
  size_t pending_ = 0;
  bool ended_early_ = false;
};

// The parser reports a quote that is never closed at the end of the file. The
// text begins at `line`, that of the last event, or soon after.
YamlFault FaultOf(const YAML::Exception& error, int line) {
  if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) {
    return {.line = line, .text = "found a quote that is never closed"};
  }
  return {.line = LineOf(error.mark), .text = error.msg};
}

// The parser's message for a tab in the indentation is unclear, so the tab is
// added.
void AddTab(absl::string_view yaml, YamlFault& fault) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(yaml, '\n')) {
    if (++number < fault.line) continue;
    const size_t end = line.find_first_not_of(" \t");
    if (absl::StrContains(line.substr(0, end), '\t')) {
      absl::StrAppend(&fault.text, ": found a tab, expected spaces");
    }
    return;
  }
}

// The first of the lines from `first` to `last` that ends a document; 0 without
// such a line.
int LineOfSeparator(absl::string_view yaml, int first, int last) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(yaml, '\n')) {
    if (++number > last) break;
    const absl::string_view rest =
        line.substr(std::min<size_t>(3, line.size()));
    if (number >= first &&
        (absl::StartsWith(line, "---") || absl::StartsWith(line, "...")) &&
        (rest.empty() || absl::StrContains(" \t\r", rest[0]))) {
      return number;
    }
  }
  return 0;
}

// Thrown at the begin of the second document.
struct SecondDocument {
  int line = 0;
};

}  // namespace

// Turns the events of the parser into a tree. Throws a YamlFault to end the
// parser.
class YamlBuilder final : public YAML::EventHandler {
 public:
  YamlBuilder(YamlTree& tree, Source& source, const std::atomic<bool>* stop,
              size_t max_nodes)
      : tree_(tree), source_(source), stop_(stop), max_nodes_(max_nodes) {}

  int line() const { return line_; }  // of the last event
  bool has_document() const { return has_document_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_document_) throw SecondDocument{LineOf(mark)};
    Begin(mark);
  }
  void OnDocumentEnd() override { has_document_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Begin(mark);
    AddLeaf(YamlTree::Kind::kNull, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    Begin(mark);
    if (value.size() > kMaxScalarBytes) {
      Fail(absl::StrCat("a text of ", value.size(), " bytes, expected at most ",
                        kMaxScalarBytes));
    }
    const uint32_t index = AddLeaf(YamlTree::Kind::kScalar, anchor);
    YamlTree::Raw& raw = tree_.At(index);
    raw.quoted = tag == "!";  // the tag of every text that is not plain
    raw.first = static_cast<uint32_t>(tree_.text_.size());
    raw.size = static_cast<uint32_t>(value.size());
    absl::StrAppend(&tree_.text_, value);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Begin(mark);
    const Anchor& target = anchors_[anchor];
    if (target.open) Fail("an alias refers to the node that contains it");
    if (static_cast<int>(open_.size()) + target.height > kMaxConfigDepth) {
      FailDepth();
    }
    const uint32_t index = Append(YamlTree::Kind::kAlias, target.nodes);
    tree_.At(index).first = target.index;
    if (!open_.empty()) {
      open_.back().height = std::max(open_.back().height, target.height + 1);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, YamlTree::Kind::kSequence, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, YamlTree::Kind::kMap, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  // A node that an alias may refer to.
  struct Anchor {
    uint32_t index = 0;
    bool open = false;
    size_t nodes = 1;  // with all nodes below it
    int height = 0;
  };

  struct Frame {
    uint32_t index = 0;
    uint32_t last = 0;  // child
    YAML::anchor_t anchor = YAML::NullAnchor;
    size_t nodes = 1;
    int height = 1;
  };

  void Begin(const YAML::Mark& mark) {
    source_.OnEvent();
    line_ = LineOf(mark);
    if (stop_ != nullptr && *stop_) throw YamlFault{.text = kReadingEnded};
  }

  [[noreturn]] void Fail(std::string text) const {
    throw YamlFault{.line = line_, .text = std::move(text)};
  }
  [[noreturn]] void FailDepth() const {
    Fail(absl::StrCat("nested deeper than ", kMaxConfigDepth, " levels"));
  }

  void Open(const YAML::Mark& mark, YamlTree::Kind kind,
            YAML::anchor_t anchor) {
    Begin(mark);
    if (static_cast<int>(open_.size()) == kMaxConfigDepth) FailDepth();
    const uint32_t index = Append(kind, 1);
    Remember(anchor, {.index = index, .open = true});
    open_.push_back({.index = index, .anchor = anchor});
  }

  void Close() {
    source_.OnEvent();
    const Frame frame = open_.back();
    open_.pop_back();
    YamlTree::Raw& raw = tree_.At(frame.index);
    if (raw.kind == static_cast<uint32_t>(YamlTree::Kind::kMap)) raw.size /= 2;
    Remember(
        frame.anchor,
        {.index = frame.index, .nodes = frame.nodes, .height = frame.height});
    if (open_.empty()) return;
    // Append() has counted the node itself.
    open_.back().nodes += frame.nodes - 1;
    open_.back().height = std::max(open_.back().height, frame.height + 1);
  }

  uint32_t AddLeaf(YamlTree::Kind kind, YAML::anchor_t anchor) {
    const uint32_t index = Append(kind, 1);
    Remember(anchor, {.index = index});
    return index;
  }

  // `nodes` is the number of nodes that the new node stands for.
  uint32_t Append(YamlTree::Kind kind, size_t nodes) {
    const uint32_t index = tree_.Append(kind, static_cast<size_t>(line_));
    nodes_ += nodes;
    if (nodes_ > max_nodes_) {
      Fail(absl::StrCat("more than ", max_nodes_,
                        " nodes, with those that aliases repeat"));
    }
    if (open_.empty()) return index;
    Frame& parent = open_.back();
    YamlTree::Raw& raw = tree_.At(parent.index);
    if (raw.size++ == 0) {
      raw.first = index;
    } else {
      tree_.At(parent.last).next = index;
    }
    parent.last = index;
    parent.nodes += nodes;
    return index;
  }

  void Remember(YAML::anchor_t anchor, const Anchor& target) {
    if (anchor == YAML::NullAnchor) return;
    anchors_[anchor] = target;
    if (anchors_.size() <= kMaxAnchors) return;
    Fail(absl::StrCat("more than ", kMaxAnchors, " anchors"));
  }

  YamlTree& tree_;
  Source& source_;
  const std::atomic<bool>* const stop_;
  const size_t max_nodes_;
  int line_ = 1;
  bool has_document_ = false;  // to its end
  size_t nodes_ = 0;
  std::vector<Frame> open_;
  absl::flat_hash_map<YAML::anchor_t, Anchor> anchors_;
};

// The parser of the library throws exceptions. None leaves this function.
std::optional<YamlFault> YamlTree::Parse(absl::string_view yaml,
                                         const std::atomic<bool>* stop,
                                         size_t max_nodes) {
  // Costs address space, not memory, as long as it is not used.
  text_.reserve(yaml.size());
  Source source(yaml);
  YamlBuilder builder(*this, source, stop, max_nodes);
  std::optional<YamlFault> fault;
  try {
    std::istream stream(&source);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YamlFault& found) {
    fault = found;
  } catch (const SecondDocument& second) {
    // The parser finds documents without a separator, even without end.
    further_line_ = LineOfSeparator(yaml, builder.line() + 1, second.line);
    if (further_line_ == 0) {
      fault = YamlFault{.line = second.line,
                        .text = "found a second document, expected one"};
    }
  } catch (const YAML::Exception& error) {
    // The parser looks at the text after `...`.
    if (builder.has_document()) {
      further_line_ =
          LineOfSeparator(yaml, builder.line() + 1, LineOf(error.mark));
    }
    if (further_line_ == 0) {
      fault = FaultOf(error, builder.line());
      AddTab(yaml, *fault);
    }
  }
  if (!source.ended_early()) return fault;
  return YamlFault{
      .line = builder.line(),
      .text = absl::StrCat("a text, comment, or list or map in brackets of "
                           "more than ",
                           kMaxPendingBytes,
                           " bytes; write long lists and maps on lines of "
                           "their own")};
}

YamlNode YamlTree::root() const {
  return nodes_ == 0 ? YamlNode() : YamlNode(*this, 0);
}

uint32_t YamlTree::Append(Kind kind, size_t line) {
  if ((nodes_ & (kBlock - 1)) == 0) {
    blocks_.push_back(std::make_unique<Raw[]>(kBlock));
  }
  Raw& raw = At(nodes_);
  raw.kind = static_cast<uint32_t>(kind) & 7;
  raw.line = static_cast<uint32_t>(line) & ((uint32_t{1} << 28) - 1);
  return nodes_++;
}

YamlNode::YamlNode(const YamlTree& tree, uint32_t index)
    : tree_(&tree), slot_(index), index_(index) {
  if (tree.KindOf(index) == YamlTree::Kind::kAlias) {
    index_ = tree.At(index).first;
  }
}

bool YamlNode::IsNull() const {
  return tree_ == nullptr || tree_->KindOf(index_) == YamlTree::Kind::kNull;
}

bool YamlNode::IsScalar() const {
  return tree_ != nullptr && tree_->KindOf(index_) == YamlTree::Kind::kScalar;
}

bool YamlNode::IsSequence() const {
  return tree_ != nullptr && tree_->KindOf(index_) == YamlTree::Kind::kSequence;
}

bool YamlNode::IsMap() const {
  return tree_ != nullptr && tree_->KindOf(index_) == YamlTree::Kind::kMap;
}

int YamlNode::line() const {
  return tree_ == nullptr ? 0 : static_cast<int>(tree_->At(index_).line);
}

bool YamlNode::IsQuoted() const {
  return IsScalar() && tree_->At(index_).quoted;
}

absl::string_view YamlNode::Scalar() const {
  if (!IsScalar()) return {};
  const YamlTree::Raw& raw = tree_->At(index_);
  return absl::string_view(tree_->text_).substr(raw.first, raw.size);
}

size_t YamlNode::size() const {
  return IsSequence() || IsMap() ? tree_->At(index_).size : 0;
}

YamlNode YamlNode::operator[](absl::string_view key) const {
  YamlNode found;
  for (const auto& [name, value] : Entries()) {
    if (name.IsScalar() && name.Scalar() == key) found = value;
  }
  return found;
}

YamlNode YamlNode::Next() const {
  const uint32_t next = tree_ == nullptr ? 0 : tree_->At(slot_).next;
  return next == 0 ? YamlNode() : YamlNode(*tree_, next);
}

YamlNode YamlNode::FirstChild() const {
  return size() == 0 ? YamlNode() : YamlNode(*tree_, tree_->At(index_).first);
}

}  // namespace rls
