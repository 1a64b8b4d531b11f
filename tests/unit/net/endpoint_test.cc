#include "net/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/hash/hash_testing.h"
#include "absl/strings/match.h"

namespace rls {
namespace {

using ::testing::HasSubstr;

constexpr uint16_t kDefaultPort = 6379;

struct Good {
  std::string text;
  Endpoint endpoint;
  std::string printed;
};

TEST(EndpointTest, ReadsHostsAddressesAndPaths) {
  const std::string longest_host(253, 'a');
  const std::string longest_path = "/" + std::string(106, 'p');
  const Good cases[] = {
      {"redis:6380", {"redis", 6380, ""}, "redis:6380"},
      {"redis", {"redis", 6379, ""}, "redis:6379"},
      {"redis_1.a-b.Example.com.:1",
       {"redis_1.a-b.Example.com.", 1, ""},
       "redis_1.a-b.Example.com.:1"},
      {"10.0.0.1:65535", {"10.0.0.1", 65535, ""}, "10.0.0.1:65535"},
      {"[::1]:7000", {"::1", 7000, ""}, "[::1]:7000"},
      {"[2001:db8::1]", {"2001:db8::1", 6379, ""}, "[2001:db8::1]:6379"},
      {"[fe80::1%eth0]:7", {"fe80::1%eth0", 7, ""}, "[fe80::1%eth0]:7"},
      {"/run/redis.sock", {"", 0, "/run/redis.sock"}, "/run/redis.sock"},
      {"/a b:1", {"", 0, "/a b:1"}, "/a b:1"},
      {longest_host, {longest_host, 6379, ""}, longest_host + ":6379"},
      {longest_path, {"", 0, longest_path}, longest_path},
  };
  for (const Good& good : cases) {
    const auto endpoint = ParseEndpoint(good.text, kDefaultPort);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(*endpoint, good.endpoint);
    EXPECT_EQ(endpoint->ToString(), good.printed);
    EXPECT_EQ(*ParseEndpoint(good.printed, 1), good.endpoint);
  }
}

TEST(EndpointTest, NamesTheReasonOfAnError) {
  const struct {
    std::string text;
    std::string reason;
  } cases[] = {
      {"", "no host name"},
      {":6379", "no host name"},
      {"redis 1:6379", "no host name"},
      {" redis:6379", "no host name"},
      {"redis\n:6379", "no host name"},
      {"r\xC3\xA9"
       "dis:6379",
       "no host name"},
      {"run/redis.sock", "no host name"},
      {"%eth0", "no host name"},
      {std::string("re\0dis", 6), "no host name"},
      {std::string(254, 'a'), "no host name"},
      {"redis://h:6379", "no port"},
      {"redis:", "no port"},
      {"redis:0", "no port"},
      {"redis:65536", "no port"},
      {"redis:99999999999999999999", "no port"},
      {"redis:-1", "no port"},
      {"redis:+1", "no port"},
      {"redis: 1", "no port"},
      {"redis:1 ", "no port"},
      {"redis:6379/0", "no port"},
      {"a:b:6379", "no port"},
      {"[::1]6379", "no port"},
      {"[::1]:", "no port"},
      {"[::1", "\"]\" is missing"},
      {"[]:1", "no IPv6 address"},
      {"[redis]:1", "no IPv6 address"},
      {"[127.0.0.1]:1", "no IPv6 address"},
      {"[::1%e 0]:1", "no IPv6 address"},
      {"::1", "needs brackets"},
      {"2001:db8::1:6379", "needs brackets"},
      {"/" + std::string(107, 'p'), "at most 107 bytes"},
      {std::string("/a\0b", 4), "zero byte"},
  };
  for (const auto& [text, reason] : cases) {
    const absl::Status status = ParseEndpoint(text, kDefaultPort).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected "));
  }
}

TEST(EndpointTest, NeedsAPortWhenThereIsNoDefault) {
  EXPECT_FALSE(ParseEndpoint("redis", 0).ok());
  EXPECT_TRUE(ParseEndpoint("redis:1", 0).ok());
  EXPECT_TRUE(ParseEndpoint("/redis", 0).ok());
}

TEST(EndpointTest, DoesNotPrintAPassword) {
  for (const char* const text :
       {"redis://user:secret@host:6379", ":secret@host", "secret@[::1]:1"}) {
    const absl::Status status = ParseEndpoint(text, kDefaultPort).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(absl::StrContains(status.message(), "secret"));
  }
}

TEST(EndpointTest, HashesAsItCompares) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {Endpoint{"a", 1, ""}, Endpoint{"a", 2, ""}, Endpoint{"b", 1, ""},
       Endpoint{"", 0, "/a"}, Endpoint{"", 0, "a"}}));
}

}  // namespace
}  // namespace rls
