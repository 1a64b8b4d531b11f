#include "rpc/dynamic_metadata.h"

#include <google/protobuf/struct.pb.h>

#include <string>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "limiter/query.h"
#include "rpc/write_verdict.h"
#include "rules/domain.h"
#include "rules/metadata.h"
#include "rules/secret_keys.h"

namespace rls {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

void Convert(const MetadataValue& from, Value& to) {
  if (const auto* const truth = std::get_if<bool>(&from.value)) {
    to.set_bool_value(*truth);
  } else if (const auto* const number = std::get_if<double>(&from.value)) {
    to.set_number_value(*number);
  } else if (const auto* const text = std::get_if<std::string>(&from.value)) {
    to.set_string_value(*text);
  } else if (const auto* const list =
                 std::get_if<MetadataValue::List>(&from.value)) {
    to.mutable_list_value();
    for (const MetadataValue& item : *list) {
      Convert(item, *to.mutable_list_value()->add_values());
    }
  } else if (const auto* const map = std::get_if<Metadata>(&from.value)) {
    auto& fields = *to.mutable_struct_value()->mutable_fields();
    for (const auto& [key, value] : *map) Convert(value, fields[key]);
  } else {
    to.set_null_value(google::protobuf::NULL_VALUE);
  }
}

// Keeps what `to` has. Maps of both sides are merged.
void Merge(const Metadata& from, Struct& to) {
  auto& fields = *to.mutable_fields();
  for (const auto& [key, value] : from) {
    const auto it = fields.find(key);
    if (it == fields.end()) {
      Convert(value, fields[key]);
    } else if (const auto* const map = std::get_if<Metadata>(&value.value);
               map != nullptr && it->second.has_struct_value()) {
      Merge(*map, *it->second.mutable_struct_value());
    }
  }
}

// Protobuf takes only UTF-8, and gateways send any bytes.
std::string Shown(absl::string_view text) {
  return IsUtf8(text) ? std::string(text) : absl::CHexEscape(text);
}

// Secrets by the name of the key, or because the configuration marks the key.
// The second holds for all descriptors of the domain.
bool IsSecret(const Verdict& verdict, absl::string_view key) {
  return HoldsSecrets(key) ||
         (verdict.domain != nullptr && verdict.domain->MarksSecret(key));
}

// If a tier's user is secret and no key of the descriptor is, it is not known
// which value is the secret: none is shown.
bool HidesAll(const Verdict& verdict, const Descriptor& descriptor,
              const LimitStatus& status) {
  if (!status.secret) return false;
  for (const Entry& entry : descriptor.entries) {
    if (IsSecret(verdict, entry.key)) return false;
  }
  return true;
}

void AddDescriptor(const Verdict& verdict, const Descriptor& descriptor,
                   const LimitStatus& status, Value& out) {
  auto& fields = *out.mutable_struct_value()->mutable_fields();
  auto& entries = *fields["entries"].mutable_list_value();
  const bool hides_all = HidesAll(verdict, descriptor, status);
  for (const Entry& entry : descriptor.entries) {
    const bool is_secret = hides_all || IsSecret(verdict, entry.key);
    entries.add_values()->set_string_value(absl::StrCat(
        Shown(entry.key), "=",
        is_secret ? ShownSecret(entry.value) : Shown(entry.value)));
  }
  if (descriptor.limit_override.has_value()) {
    fields["limit"].set_string_value(OverrideText(*descriptor.limit_override));
  }
  if (descriptor.hits.has_value()) {
    fields["hitsAddend"].set_number_value(
        static_cast<double>(*descriptor.hits));
  }
}

}  // namespace

void AddRequestMetadata(const Verdict& verdict, Struct& out) {
  if (verdict.query == nullptr) return;
  const Query& query = *verdict.query;
  auto& fields = *out.mutable_fields();
  fields["domain"].set_string_value(Shown(query.domain));
  auto& descriptors = *fields["descriptors"].mutable_list_value();
  for (size_t i = 0; i < query.descriptors.size(); ++i) {
    AddDescriptor(verdict, query.descriptors[i], verdict.statuses[i],
                  *descriptors.add_values());
  }
  if (query.hits != 0) fields["hitsAddend"].set_number_value(query.hits);
  for (const LimitStatus& status : verdict.statuses) {
    if (status.over_limit || status.unlimited || status.rule == nullptr ||
        status.rule->metadata == nullptr) {
      continue;
    }
    Merge(*status.rule->metadata, *fields["metadata"].mutable_struct_value());
  }
}

}  // namespace rls
