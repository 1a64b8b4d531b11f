#include "config/identity_format.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/limit_format.h"
#include "config/usage_format.h"

namespace rls {
namespace {

constexpr char kHashed[] = "sha256:";
constexpr size_t kHexDigits = 64;

// The default of `identity:`.
std::vector<IdentityKey> DefaultIdentity() {
  return {{.key = "user_id"},
          {.key = "authorization", .strip_prefix = "Bearer "},
          {.key = "api_key"}};
}

// Reads one entry of `identity:`. Returns the result of ReadSecret().
std::optional<bool> ReadIdentityKey(YamlReader& reader, const YamlNode& item,
                                    IdentityKey& identity) {
  if (item.IsScalar()) {
    identity.key = reader.Name(item, "identity").value_or("");
    return std::nullopt;
  }
  const YamlMap entry(reader, item, "identity",
                      {"key", "strip_prefix", "secret", "public"});
  if (item.IsMap() && entry.ReadName("key", identity.key) == nullptr) {
    reader.Fail(item, "identity: an entry without key");
  }
  if (const YamlNode* prefix = entry.Find("strip_prefix")) {
    identity.strip_prefix = reader.Text(*prefix, "strip_prefix").value_or("");
  }
  return ReadSecret(entry);
}

}  // namespace

void ReadIdentity(const YamlMap& map, std::vector<IdentityKey>& into,
                  ShownUsers& shown) {
  YamlReader& reader = map.reader();
  const YamlNode* list = map.Find("identity");
  if (list == nullptr) {
    into = DefaultIdentity();
    return;
  }
  if (!list->IsSequence() || list->size() == 0) {
    reader.Unexpected(*list, "identity", "a list of descriptor keys");
    return;
  }
  if (list->size() > kMaxIdentityKeys) {
    reader.Fail(
        *list, absl::StrCat("identity: more than ", kMaxIdentityKeys, " keys"));
    return;
  }
  size_t public_keys = 0;
  for (const YamlNode& item : list->Items()) {
    const auto secret = ReadIdentityKey(reader, item, into.emplace_back());
    if (secret == true) shown = ShownUsers::kNone;
    if (secret == false) ++public_keys;
  }
  if (public_keys == 0) return;
  if (public_keys < into.size()) {
    reader.Fail(*list,
                "identity: public: true is only on some of the keys, expected "
                "on all: a user has one counter under all of them");
  }
  shown = ShownUsers::kAll;
}

std::optional<std::string> HashOfUser(YamlReader& reader, const YamlNode& node,
                                      const std::string& user) {
  if (!absl::StartsWith(user, kHashed)) return std::nullopt;
  const std::string digits =
      absl::AsciiStrToLower(user.substr(sizeof(kHashed) - 1));
  if (digits.size() != kHexDigits ||
      digits.find_first_not_of("0123456789abcdef") != digits.npos) {
    reader.Fail(node, absl::StrCat("found ", Quoted(user),
                                   ", expected sha256: and 64 hexadecimal "
                                   "digits"));
  }
  return digits;
}

void ReadExempt(const YamlMap& map, std::optional<ExemptSpec>& exempt) {
  YamlReader& reader = map.reader();
  const YamlNode* list = map.Find("exempt");
  if (list == nullptr) return;
  if (!list->IsSequence()) {
    reader.Unexpected(*list, "exempt", "a list of users and networks");
    return;
  }
  ExemptSpec& spec = exempt.emplace();
  for (const YamlNode& item : list->Items()) {
    if (reader.IsDone()) return;
    const auto name = reader.Name(item, "exempt");
    if (!name.has_value()) continue;
    if (auto hash = HashOfUser(reader, item, *name)) {
      spec.hashed_users.insert(*std::move(hash));
    } else if (const auto network = Network::Parse(*name)) {
      spec.networks.push_back(*network);
      if (spec.networks.size() == kMaxExemptNetworks + 1) {
        reader.Fail(item, absl::StrCat("exempt: more than ", kMaxExemptNetworks,
                                       " networks"));
      }
    } else if (ParseIpAddress(name->substr(0, name->find('/')))) {
      reader.Unexpected(item, "exempt",
                        "a network such as 10.0.0.0/8 or 2001:db8::/32");
    } else {
      spec.users.insert(*name);
    }
  }
}

void ReadAnonymous(const YamlMap& map,
                   std::optional<AnonymousSpec>& anonymous) {
  const YamlNode* node = map.Find("anonymous");
  if (node == nullptr) return;
  const YamlMap entries(
      map.reader(), *node, "anonymous",
      WithLimitsKeys({"by", "ipv4_prefix", "ipv6_prefix", "unknown_users"}));
  AnonymousSpec& spec = anonymous.emplace();
  spec.rule.path = "anonymous";
  ReadOnBackendError(map, spec.rule.on_backend_error);
  ReadLimits(entries, "anonymous", spec.rule, [](const YamlMap&, Rule&) {});
  if (const YamlNode* by = entries.Find("by")) {
    const auto word =
        map.reader().Word(*by, "by", {"remote_address", "shared"});
    spec.by_address = word.value_or(0) == 0;
  }
  ReadPrefixes(entries, spec.networks);
  entries.Read("unknown_users", spec.unknown_users);
}

}  // namespace rls
