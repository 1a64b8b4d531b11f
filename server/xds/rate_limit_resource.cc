#include "xds/rate_limit_resource.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/load.h"
#include "ratelimit/config/ratelimit/v3/rls_conf.pb.h"
#include "rules/secret_keys.h"
#include "xds/struct_metadata.h"

namespace rls {
namespace {

using ratelimit::config::ratelimit::v3::RateLimitConfig;
using ratelimit::config::ratelimit::v3::RateLimitDescriptor;
using ratelimit::config::ratelimit::v3::RateLimitPolicy;
using ratelimit::config::ratelimit::v3::RateLimitUnit;
using Descriptors = google::protobuf::RepeatedPtrField<RateLimitDescriptor>;

// nullopt: not a unit of a limit.
std::optional<absl::Duration> LengthOf(RateLimitUnit unit) {
  constexpr int kDayHours = 24;
  switch (unit) {
    case ratelimit::config::ratelimit::v3::SECOND:
      return absl::Seconds(1);
    case ratelimit::config::ratelimit::v3::MINUTE:
      return absl::Minutes(1);
    case ratelimit::config::ratelimit::v3::HOUR:
      return absl::Hours(1);
    case ratelimit::config::ratelimit::v3::DAY:
      return absl::Hours(kDayHours);
    case ratelimit::config::ratelimit::v3::WEEK:
      return absl::Hours(7 * kDayHours);
    case ratelimit::config::ratelimit::v3::MONTH:
      return absl::Hours(30 * kDayHours);
    case ratelimit::config::ratelimit::v3::YEAR:
      return absl::Hours(365 * kDayHours);
    default:
      return std::nullopt;
  }
}

// The enumerator's name. A newer server can send a number without a name.
std::string UnitText(RateLimitUnit unit) {
  const std::string& name =
      ratelimit::config::ratelimit::v3::RateLimitUnit_Name(unit);
  return name.empty() ? absl::StrCat(static_cast<int>(unit)) : name;
}

// The value in a path or an error, which people see.
std::string ShownValue(const RateLimitDescriptor& item) {
  return HoldsSecrets(item.key()) ? ShownSecret(item.value()) : item.value();
}

class ResourceReader {
 public:
  explicit ResourceReader(RateLimitResource& resource) : resource_(resource) {}

  void Read(const RateLimitConfig& config) {
    if (CheckName("", "domain", config.domain())) {
      resource_.domain_name = config.domain();
    }
    DomainSpec domain;
    domain.name = config.domain();
    ReadLevel(config.descriptors(), "", 1, domain.nodes);
    if (unnamed_errors_ > 0) {
      resource_.errors.push_back(
          absl::StrCat("and ", unnamed_errors_, " more errors"));
    }
    if (resource_.errors.empty()) resource_.domain = std::move(domain);
  }

 private:
  // `path` is the descriptor's path, "" for the resource itself.
  void Fail(absl::string_view path, absl::string_view text) {
    if (resource_.errors.size() >= kMaxResourceErrors) {
      ++unnamed_errors_;
    } else if (path.empty()) {
      resource_.errors.emplace_back(text);
    } else {
      resource_.errors.push_back(
          absl::StrCat("descriptor ", Quoted(path), ": ", text));
    }
  }

  bool CheckSize(const std::string& path, absl::string_view what,
                 absl::string_view text) {
    if (text.size() <= kMaxResourceTextBytes) return true;
    Fail(path,
         absl::StrCat(what, ": found ", text.size(),
                      " bytes, expected at most ", kMaxResourceTextBytes));
    return false;
  }

  // A name is shown in log lines and headers.
  bool CheckName(const std::string& path, absl::string_view what,
                 absl::string_view name) {
    if (!CheckSize(path, what, name)) return false;
    if (!name.empty() && !HasControls(name)) return true;
    Fail(path, absl::StrCat(what, ": found ", Quoted(name),
                            ", expected a name without control characters"));
    return false;
  }

  void ReadLevel(const Descriptors& list, const std::string& parent, int depth,
                 std::vector<RuleNode>& nodes) {
    if (depth > kMaxRuleDepth) {
      Fail(parent, absl::StrCat("descriptors are nested deeper than ",
                                kMaxRuleDepth, " levels"));
      return;
    }
    absl::flat_hash_set<std::pair<absl::string_view, absl::string_view>> names;
    nodes.reserve(std::min<size_t>(list.size(), kMaxRules));
    for (const RateLimitDescriptor& item : list) {
      if (++descriptors_ > kMaxRules) {
        if (descriptors_ == kMaxRules + 1) {
          Fail("", absl::StrCat("more than ", kMaxRules, " descriptors"));
        }
        return;
      }
      const std::string path = PathOf(item, parent, nodes.size());
      if (!names.emplace(item.key(), item.value()).second &&
          !item.key().empty()) {
        Fail(path, absl::StrCat("a descriptor with key ", Quoted(item.key()),
                                " and value ", Quoted(ShownValue(item)),
                                " is already on this level"));
      }
      ReadNode(item, path, depth, nodes.emplace_back());
    }
  }

  // The path has the form of files, so that metrics and dynamic metadata stay
  // the same. A descriptor without a key has its index.
  static std::string PathOf(const RateLimitDescriptor& item,
                            const std::string& parent, size_t index) {
    std::string name = item.key();
    if (!item.value().empty()) absl::StrAppend(&name, "_", ShownValue(item));
    if (item.key().empty()) name = absl::StrCat("[", index, "]");
    name = EscapeControls(name);
    return parent.empty() ? name : absl::StrCat(parent, ".", name);
  }

  void ReadNode(const RateLimitDescriptor& item, const std::string& path,
                int depth, RuleNode& node) {
    if (!CheckName(path, "key", item.key()) ||
        !CheckSize(path, "value", item.value())) {
      return;
    }
    node.key = item.key();
    node.value = item.value();
    node.detailed_metric = item.detailed_metric();
    if (item.has_rate_limit() && CountPath(path)) {
      Rule& rule = node.rule.emplace();
      rule.path = path;
      rule.shadow = item.shadow_mode();
      rule.quota = item.quota_mode();
      ReadRule(item.rate_limit(), path, rule);
      ReadMetadata(item.metadata(), path, rule);
    }
    if (!item.descriptors().empty()) {
      ReadLevel(item.descriptors(), path, depth + 1, node.children);
    }
  }

  // Each limit holds its path, which repeats the text of all its parents. So a
  // small resource can need much memory.
  bool CountPath(const std::string& path) {
    if (path_bytes_ > kMaxResourcePathBytes) return false;
    path_bytes_ += path.size();
    if (path_bytes_ <= kMaxResourcePathBytes) return true;
    Fail(path, absl::StrCat("the paths of all limits have more than ",
                            kMaxResourcePathBytes, " bytes"));
    return false;
  }

  void ReadRule(const RateLimitPolicy& policy, const std::string& path,
                Rule& rule) {
    rule.stated_hits = StatedHits::kCharge;  // the default of this format
    if (!policy.name().empty() &&
        CheckName(path, "rate_limit.name", policy.name())) {
      rule.name = policy.name();
    }
    ReadReplaces(policy, path, rule);
    const std::optional<absl::Duration> length = LengthOf(policy.unit());
    rule.unlimited = policy.unlimited();
    if (rule.unlimited) {
      if (length.has_value()) {
        Fail(path, "unit cannot be combined with unlimited");
      }
      return;
    }
    rule.policy.limit = policy.requests_per_unit();
    if (length.has_value()) {
      rule.policy.window = *length;
    } else {
      Fail(path,
           absl::StrCat("unit: found ", UnitText(policy.unit()),
                        ", expected SECOND, MINUTE, HOUR, DAY, WEEK, MONTH or "
                        "YEAR"));
    }
  }

  void ReadMetadata(const google::protobuf::Struct& from,
                    const std::string& path, Rule& rule) {
    if (from.fields().empty()) return;
    auto metadata = MetadataOf(from);
    if (metadata.ok()) {
      rule.metadata = std::make_shared<const Metadata>(*std::move(metadata));
    } else {
      Fail(path, metadata.status().message());
    }
  }

  void ReadReplaces(const RateLimitPolicy& policy, const std::string& path,
                    Rule& rule) {
    for (const auto& entry : policy.replaces()) {
      if (!CheckName(path, "replaces.name", entry.name())) continue;
      if (entry.name() == policy.name()) {
        Fail(path, absl::StrCat("replaces: ", Quoted(entry.name()),
                                " cannot replace itself"));
      }
      rule.replaces.push_back(entry.name());
    }
  }

  RateLimitResource& resource_;
  size_t descriptors_ = 0;
  size_t path_bytes_ = 0;
  size_t unnamed_errors_ = 0;
};

}  // namespace

RateLimitResource ReadRateLimitResource(absl::string_view bytes) {
  RateLimitResource resource;
  RateLimitConfig config;
  const bool parsed =
      config.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  // After a failure, the message has the fields before the mistake. The name
  // comes first.
  if (!HasControls(config.name()) && IsUtf8(config.name())) {
    resource.name = config.name();
  }
  if (parsed) {
    ResourceReader(resource).Read(config);
  } else {
    resource.errors.emplace_back("not a valid RateLimitConfig message");
  }
  return resource;
}

}  // namespace rls
