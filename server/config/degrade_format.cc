#include "config/degrade_format.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/limit_format.h"

namespace rls {
namespace {

std::optional<double> ReadCost(YamlReader& reader, const YamlNode& model) {
  if (!model.IsMap() || !model["cost"]) return std::nullopt;
  const YamlNode node = model["cost"];
  const auto text = reader.Text(node, "cost");
  double cost = 0;
  if (!text.has_value()) return std::nullopt;
  if (absl::SimpleAtod(*text, &cost) && cost >= 0) return cost;
  reader.Unexpected(node, "cost", "a number of 0 or more");
  return std::nullopt;
}

bool CheckModels(YamlReader& reader, const YamlNode& node,
                 absl::string_view what) {
  if (node.size() <= kMaxModels) return true;
  reader.Fail(node, absl::StrCat(what, ": more than ", kMaxModels, " models"));
  return false;
}

// The model with the lowest cost; "" if no model has a cost.
std::string Cheapest(const std::vector<Model>& models) {
  const Model* cheapest = nullptr;
  for (const Model& model : models) {
    if (!model.cost.has_value()) continue;
    if (cheapest == nullptr || *model.cost < *cheapest->cost) {
      cheapest = &model;
    }
  }
  return cheapest == nullptr ? "" : cheapest->name;
}

// If all models map to the same model, that model is cheaper than all others.
// Otherwise returns "".
std::string OnlyTarget(const DegradeRule& rule) {
  const std::string& first = rule.cheaper.begin()->second;
  const bool is_only =
      std::all_of(rule.cheaper.begin(), rule.cheaper.end(),
                  [&first](const auto& pair) { return pair.second == first; });
  return is_only ? first : "";
}

}  // namespace

std::vector<Model> ReadModels(const YamlMap& map) {
  std::vector<Model> models;
  const YamlNode* node = map.Find("models");
  if (node == nullptr || !node->IsMap()) return models;
  if (!CheckModels(map.reader(), *node, "models")) return models;
  for (const auto& entry : node->Entries()) {
    if (const auto name = map.reader().Name(entry.first, "a model")) {
      models.push_back({*name, ReadCost(map.reader(), entry.second)});
    }
  }
  return models;
}

DegradeFormat::DegradeFormat(const YamlMap& rate_limit,
                             std::vector<Model> models)
    : map_(rate_limit), models_(std::move(models)) {
  rule_.cheapest = Cheapest(models_);
  if (const YamlNode* node = map_.Find("degrade")) ReadSettings(*node);
  ReadDegradeTo(map_, rule_);
}

std::shared_ptr<const DegradeRule> DegradeFormat::Default() const {
  return Checked(rule_, "users without a tier");
}

std::shared_ptr<const DegradeRule> DegradeFormat::OfTier(
    const YamlMap& tier) const {
  DegradeRule rule = rule_;
  ReadDegradeTo(tier, rule);
  return Checked(std::move(rule), tier.what());
}

std::shared_ptr<const DegradeRule> DegradeFormat::Checked(
    DegradeRule rule, absl::string_view users) const {
  const YamlNode* enforce = map_.Find("enforce");
  if (rule.cheaper.empty() && rule.cheapest.empty() && enforce != nullptr) {
    map_.reader().Fail(
        *enforce,
        absl::StrCat("enforce: degrade: found no cheaper model for ", users,
                     ", expected degrade_to: {model: cheaper model}, or models "
                     "with a cost"));
  }
  return std::make_shared<DegradeRule>(std::move(rule));
}

void DegradeFormat::ReadSettings(const YamlNode& node) {
  const YamlMap map(map_.reader(), node, "degrade",
                    {"model_key", "header", "model_header", "limit"});
  map.ReadName("model_key", rule_.model_key);
  map.ReadHeaderName("header", rule_.flag_header);
  map.ReadHeaderName("model_header", rule_.model_header);
  if (const YamlNode* limit = map.Find("limit")) ReadLimit(*limit);
}

void DegradeFormat::ReadLimit(const YamlNode& node) {
  const YamlMap map(map_.reader(), node, "the limit of degrade",
                    WithRpsKeys({}));
  map.Refuse(
      {"message", "on_backend_error", "refundable"},
      " cannot be combined with the limit of degrade; expected in the tier");
  map.Refuse({"lease"}, " cannot be combined with the limit of degrade");
  Rule rule;
  ReadRps(map, rule);
  rule_.limit = rule.policy;
}

void DegradeFormat::ReadDegradeTo(const YamlMap& map, DegradeRule& rule) const {
  YamlReader& reader = map_.reader();
  const YamlNode* node = map.Find("degrade_to");
  if (node == nullptr) return;
  if (!node->IsMap() || node->size() == 0) {
    reader.Unexpected(*node, "degrade_to", "a map of models to cheaper models");
    return;
  }
  if (!CheckModels(reader, *node, "degrade_to")) return;
  for (const auto& entry : node->Entries()) {
    const auto from = reader.Name(entry.first, "a model");
    const auto to = reader.Name(entry.second, "a cheaper model");
    if (!from.has_value() || !to.has_value()) continue;
    CheckModel(entry.first, *from);
    CheckModel(entry.second, *to);
    if (*from == *to) {
      reader.Fail(entry.second, absl::StrCat("degrade_to: ", Quoted(*from),
                                             " is not cheaper than itself"));
    }
    rule.cheaper[*from] = *to;
  }
  if (Cheapest(models_).empty() && !rule.cheaper.empty()) {
    rule.cheapest = OnlyTarget(rule);
  }
}

// If the file lists models, a model that is not listed is an error.
void DegradeFormat::CheckModel(const YamlNode& node,
                               const std::string& name) const {
  if (models_.empty()) return;
  std::vector<absl::string_view> names;
  for (const Model& model : models_) {
    if (model.name == name) return;
    names.push_back(model.name);
  }
  map_.reader().Fail(node,
                     absl::StrCat("model ", Quoted(name), " is not in models",
                                  DidYouMean(name, names)));
}

}  // namespace rls
