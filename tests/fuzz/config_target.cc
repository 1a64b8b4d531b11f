// The text of a configuration file, in both formats.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/load.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "rules/domain.h"
#include "unit/limiter/limiter_fakes.h"

namespace rls {
namespace {

std::optional<std::string> OneVariable(const std::string& name) {
  if (name == "KEY") return "value";
  return std::nullopt;
}

void CheckErrors(const std::vector<ConfigError>& errors,
                 absl::string_view text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') +
                     std::count(text.begin(), text.end(), '\r') + 1;
  for (const ConfigError& error : errors) {
    Require(error.origin == "f.yaml", "an error names the file");
    Require(error.line >= 0 && error.line <= lines + 1,
            "an error names a line of the file");
    Require(!error.text.empty(), "an error has a text");
    Require(absl::StartsWith(error.ToString(), "f.yaml"),
            "the text of an error begins with the file");
  }
}

void Compile(DomainSpec spec) {
  FakeMetrics metrics;
  const auto domain = CompileDomain(std::move(spec), metrics);
  if (!domain.ok()) {
    Require(absl::IsInvalidArgument(domain.status()),
            "a domain that does not compile is an invalid argument");
    return;
  }
  Match match;
  const Entry entries[] = {{"user_id", "user-123"}, {"path", "/a/b"}};
  (*domain)->Find(entries, match);
  (*domain)->Find(absl::MakeConstSpan(entries).subspan(0, 1), match);
  (*domain)->Find({}, match);
  (*domain)->ForEachRule([](const CompiledRule& rule) {
    Require(rule.unlimited || !rule.scope.empty(), "a limit has a scope");
    Require(rule.policy.limit >= 0 && rule.policy.limit <= kMaxAmount,
            "a limit is within its bounds");
    Require(
        rule.policy.window >= kMinWindow && rule.policy.window <= kMaxWindow,
        "a window is within its bounds");
  });
}

}  // namespace

void FuzzConfig(const uint8_t* bytes, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  LoadedFile file = LoadConfig(text, "f.yaml", OneVariable);
  CheckErrors(file.errors, text);
  CheckErrors(file.warnings, text);
  Require(!file.domain.has_value() || file.errors.empty(),
          "a file with errors has no domain");
  if (file.domain.has_value()) Compile(*std::move(file.domain));
}

}  // namespace rls
