#include "app/reference_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "app/settings.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CommandLine Read(const std::vector<const char*>& arguments,
                 std::map<std::string, std::string> variables) {
  variables.emplace("RUNTIME_ROOT", "/rules");
  const auto line = ReadCommandLine(
      static_cast<int>(arguments.size()), arguments.data(),
      [&](const std::string& name) -> std::optional<std::string> {
        const auto it = variables.find(name);
        if (it == variables.end()) return std::nullopt;
        return it->second;
      });
  EXPECT_TRUE(line.ok()) << line.status();
  return line.ok() ? *line : CommandLine();
}

TEST(ReferenceNameTest, OnlyTheLastPartOfThePathCounts) {
  for (const char* name : {"ratelimit", "/bin/ratelimit", "./ratelimit"}) {
    EXPECT_TRUE(IsReferenceName(name)) << name;
  }
  for (const char* name : {"ratelimitd", "/usr/bin/ratelimitd", "",
                           "/ratelimit/ratelimitd", "ratelimit/"}) {
    EXPECT_FALSE(IsReferenceName(name)) << name;
  }
}

TEST(ReferenceNameTest, ArgumentsAreNamedAndHaveNoEffect) {
  const CommandLine line =
      Read({"/bin/ratelimit", "--config", "/other", "--help"},
           {{"DEBUG_HOST", "127.0.0.1"}});
  EXPECT_TRUE(line.settings.reference_name);
  EXPECT_EQ(line.print, "");
  EXPECT_THAT(line.settings.config_paths, ElementsAre("/rules/config"));
  EXPECT_THAT(line.warnings,
              ElementsAre("ratelimit: argument \"--config\" is ignored: under "
                          "this name settings come from the environment",
                          HasSubstr("\"/other\""), HasSubstr("\"--help\"")));
  EXPECT_THAT(line.notes, IsEmpty());
}

TEST(ReferenceNameTest, UnderTheOtherNameArgumentsAreFlags) {
  const CommandLine line = Read({"ratelimitd", "--config", "/other"}, {});
  EXPECT_FALSE(line.settings.reference_name);
  EXPECT_THAT(line.settings.config_paths, ElementsAre("/other"));
  EXPECT_THAT(line.warnings, IsEmpty());
  EXPECT_THAT(line.notes, IsEmpty());
}

TEST(ReferenceNameTest, ALoopbackDebugPortIsNamedOnce) {
  EXPECT_THAT(Read({"ratelimit"}, {}).notes,
              ElementsAre(HasSubstr("DEBUG_HOST")));
  EXPECT_THAT(Read({"ratelimit"}, {{"DEBUG_HOST", "::"}}).notes, IsEmpty());
}

TEST(ReferenceNameTest, TheAuthoritiesOfEnvoyGatewayDemandNoCertificate) {
  const CommandLine line =
      Read({"ratelimitd"}, {{"GRPC_SERVER_USE_TLS", "true"},
                            {"GRPC_SERVER_TLS_CERT", "/certs/tls.crt"},
                            {"GRPC_SERVER_TLS_KEY", "/certs/tls.key"},
                            {"GRPC_SERVER_TLS_CA_CERT", "/certs/ca.crt"}});
  ASSERT_TRUE(line.settings.grpc.tls.has_value());
  EXPECT_EQ(line.settings.grpc.tls->client_ca_file, "");
  EXPECT_THAT(line.notes,
              ElementsAre(HasSubstr("GRPC_SERVER_TLS_CA_CERT has no effect")));
}

}  // namespace
}  // namespace rls
