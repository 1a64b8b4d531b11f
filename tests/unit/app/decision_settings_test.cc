#include "app/decision_settings.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "app/environment.h"

namespace rls {
namespace {

using Variables = std::map<std::string, std::string>;

absl::Status ReadFrom(const Variables& variables, DecisionModes& modes) {
  const Environment environment =
      [&](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    if (it == variables.end()) return std::nullopt;
    return it->second;
  };
  EnvironmentReader reader(environment);
  modes = ReadDecisionModes(reader);
  return reader.status();
}

TEST(DecisionSettingsTest, ModesAreOffByDefault) {
  DecisionModes modes;
  ASSERT_TRUE(ReadFrom({}, modes).ok());
  EXPECT_FALSE(modes.shadow);
  EXPECT_FALSE(modes.quota);
  ASSERT_TRUE(
      ReadFrom({{"SHADOW_MODE", "true"}, {"QUOTA_MODE", "1"}}, modes).ok());
  EXPECT_TRUE(modes.shadow);
  EXPECT_TRUE(modes.quota);
}

TEST(DecisionSettingsTest, TheStopVariableWinsOverTheAccounting) {
  struct Case {
    const char* accounting;  // "" stands for not set
    const char* stop;
    Accounting expected;
  };
  for (const Case& one : std::vector<Case>{
           {"", "", Accounting::kAllOrNothing},
           {"all_or_nothing", "false", Accounting::kAllOrNothing},
           {"independent", "", Accounting::kIndependent},
           {"independent", "false", Accounting::kIndependent},
           {"independent", "true", Accounting::kAllOrNothing},
           {"", "true", Accounting::kAllOrNothing},
       }) {
    DecisionModes modes;
    EXPECT_TRUE(
        ReadFrom({{"RATELIMIT_ACCOUNTING", one.accounting},
                  {"STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT", one.stop}},
                 modes)
            .ok());
    EXPECT_EQ(modes.default_accounting, one.expected)
        << one.accounting << " " << one.stop;
  }
}

TEST(DecisionSettingsTest, ABadValueIsNamed) {
  for (const auto& [name, value] :
       Variables{{"SHADOW_MODE", "yes"},
                 {"QUOTA_MODE", "on"},
                 {"RATELIMIT_ACCOUNTING", "Independent"},
                 {"STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT", "2"}}) {
    DecisionModes modes;
    const absl::Status status = ReadFrom({{name, value}}, modes);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name << " " << value;
    EXPECT_TRUE(absl::StartsWith(status.message(), name + ": found "))
        << status;
  }
}

}  // namespace
}  // namespace rls
