#include "store/redis/redis_target.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace rls {
namespace {

// A target as one line of text.
std::string Spell(const RedisTarget& target) {
  constexpr const char* kKinds[] = {"single", "sentinel", "cluster"};
  std::vector<std::string> endpoints;
  for (const Endpoint& endpoint : target.endpoints) {
    endpoints.push_back(endpoint.ToString());
  }
  const RedisCredentials& credentials = target.credentials;
  return absl::StrCat(kKinds[static_cast<int>(target.kind)],
                      target.tls.has_value() ? " tls " : " ",
                      absl::StrJoin(endpoints, ","), " ", target.master_name,
                      "/", target.database, " ", credentials.user, "=",
                      credentials.password);
}

std::string SpellUrl(absl::string_view url) {
  const absl::StatusOr<RedisTarget> target = ParseRedisUrl(url);
  return target.ok() ? Spell(*target) : std::string(target.status().message());
}

TEST(RedisUrlTest, EveryFormIsRead) {
  const std::pair<absl::string_view, absl::string_view> forms[] = {
      {"redis://h", "single h:6379 /0 ="},
      {"REDIS://h", "single h:6379 /0 ="},
      {"redis://h/", "single h:6379 /0 ="},
      {"redis://h:7/3", "single h:7 /3 ="},
      {"redis://[::1]", "single [::1]:6379 /0 ="},
      {"redis://[::1]:7/0", "single [::1]:7 /0 ="},
      {"redis://u:p@h", "single h:6379 /0 u=p"},
      {"redis://:p@h", "single h:6379 /0 =p"},
      {"redis://p@h", "single h:6379 /0 =p"},
      {"redis://u:@h", "single h:6379 /0 u="},
      {"redis://@h", "single h:6379 /0 ="},
      {"redis://u:p:q@h", "single h:6379 /0 u=p:q"},
      {"redis://u:p@q@h", "single h:6379 /0 u=p@q"},
      {"redis://u:p/q@h", "single h:6379 /0 u=p/q"},
      {"redis://%75%3a:%40%2F%25@h", "single h:6379 /0 u:=@/%"},
      {"rediss://u:p@h:7/2", "single tls h:7 /2 u=p"},
      {"unix:///run/a.sock", "single /run/a.sock /0 ="},
      {"unix:///run/a@b.sock", "single /run/a@b.sock /0 ="},
      {"unix:///run/a%3Fb", "single /run/a?b /0 ="},
      {"unix://u:p@/run/a?db=4", "single /run/a /4 u=p"},
      {"redis+sentinel://a,b:7/m", "sentinel a:26379,b:7 m/0 ="},
      {"redis+sentinel://u:p@a/m/5", "sentinel a:26379 m/5 u=p"},
      {"redis+sentinel://a/%6d%2f/", "sentinel a:26379 m//0 ="},
      {"rediss+sentinel://a/m", "sentinel tls a:26379 m/0 ="},
      {"redis+cluster://a,b:7", "cluster a:6379,b:7 /0 ="},
      {"redis+cluster://u:p@a,[::1]:7/0", "cluster a:6379,[::1]:7 /0 u=p"},
      {"rediss+cluster://a", "cluster tls a:6379 /0 ="},
      {"h:7", "single h:7 /0 ="},
      {"h", "single h:6379 /0 ="},
      {"/run/a.sock", "single /run/a.sock /0 ="},
  };
  for (const auto& [url, spelt] : forms) EXPECT_EQ(SpellUrl(url), spelt) << url;
}

TEST(RedisUrlTest, EveryMistakeIsNamed) {
  const std::pair<absl::string_view, absl::string_view> mistakes[] = {
      {"", "expected host:port"},
      {"h:0", "no port"},
      {"u:p@h", "without user and password"},
      {"http://h", "redis://, rediss://, unix://"},
      {"://h", "redis://, rediss://, unix://"},
      {"redis://", "host 1 of 1"},
      {"redis://h:p", "host 1 of 1"},
      {"redis://::1", "host 1 of 1"},
      {"redis:///1", "host 1 of 1"},
      {"redis://h:65536", "host 1 of 1"},
      {"redis://a b", "host 1 of 1"},
      {"redis://a,b", "one host"},
      {"redis://h/x", "number of a database"},
      {"redis://h/-1", "number of a database"},
      {"redis://h/99999999999", "number of a database"},
      {"redis://h/1/2", "number of a database"},
      {"redis://h/1?x=y", "number of a database"},
      {"redis://u:%4@h", "two hex digits"},
      {"redis://%zz:p@h", "two hex digits"},
      {"redis://u:%@h", "two hex digits"},
      {"unix://", "path of a socket"},
      {"unix://run/a", "path of a socket"},
      {"unix://u:p@host", "path of a socket"},
      {"unix:///run/a?db=", "?db=number"},
      {"unix:///run/a?database=1", "?db=number"},
      {"unix:///run/a?db=x", "number of a database"},
      {"redis+sentinel://a", "master's name"},
      {"redis+sentinel://a/", "master's name"},
      {"redis+sentinel://a//1", "master's name"},
      {"redis+sentinel://a/%6/1", "two hex digits"},
      {"redis+sentinel://a/m/x", "number of a database"},
      {"redis+sentinel://a,/m", "host 2 of 2"},
      {"redis+sentinel://a,,b/m", "host 2 of 3"},
      {"redis+cluster://a/1", "no database"},
      {"redis+cluster://a,b:x", "host 2 of 2"},
  };
  for (const auto& [url, named] : mistakes) {
    const absl::StatusOr<RedisTarget> target = ParseRedisUrl(url);
    ASSERT_TRUE(absl::IsInvalidArgument(target.status())) << url;
    EXPECT_TRUE(absl::StrContains(target.status().message(), named))
        << url << ": " << target.status();
  }
}

TEST(RedisUrlTest, NoMistakeShowsThePassword) {
  for (const absl::string_view url : {
           "redis://user:sesame",
           "redis://:sesame",
           "redis://user:sesame@",
           "redis://user:sesame@h:x",
           "redis://user:sesame@h/x",
           "redis://user:sesame%4@h",
           "redis://user:sesame@a,b",
           "redis+sentinel://user:sesame@h",
           "redis+cluster://user:sesame@h/1",
           "redis+cluster://user:sesame/h",
           "unix://user:sesame@h",
           "unix://user:sesame",
           "unix:///a?sesame",
           "rdis://user:sesame@h",
           "user:sesame@h:1",
       }) {
    const absl::StatusOr<RedisTarget> target = ParseRedisUrl(url);
    ASSERT_FALSE(target.ok()) << url;
    EXPECT_FALSE(absl::StrContains(target.status().message(), "sesame")) << url;
  }
}

TEST(RedisUrlTest, TheNumberOfHostsIsLimited) {
  const auto with_hosts = [](int hosts) {
    return ParseRedisUrl(absl::StrCat(
        "redis+cluster://",
        absl::StrJoin(std::vector<std::string>(static_cast<size_t>(hosts), "h"),
                      ",")));
  };
  EXPECT_TRUE(with_hosts(64).ok());
  EXPECT_FALSE(with_hosts(65).ok());
}

}  // namespace
}  // namespace rls
