// Access to Redis: users with only the documented rights, passwords that
// change, TLS.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/redis_cluster.h"
#include "support/wait_until.h"
#include "temp_folder.h"
#include "unit/net/certificates.h"
#include "unit/store/redis/topology.h"

namespace rls {
namespace {

namespace fs = std::filesystem;

// A user with the rights that docs/REDIS.md documents, and `more` rights.
std::vector<std::string> LeastUser(const std::vector<std::string>& more) {
  std::vector<std::string> words = {
      "ACL",      "SETUSER",     "limiter", "reset",        "on",
      ">s3same",  "~topology:*", "+hello",  "+script|load", "+evalsha",
      "+eval",    "+time",       "+mget",   "+set",         "+del",
      "+incr",    "+incrby",     "+decrby", "+pexpireat",   "+pttl",
      "+setrange"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Takes that use all scripts.
void ExpectTakes(TopologyStore& store) {
  Policy bucket = PerHour(9);
  bucket.algorithm = Algorithm::kTokenBucket;
  const TestCharge plain{.key = "plain", .policy = PerHour(9)};
  const TestCharge other{.key = "other", .policy = PerHour(9)};
  for (const std::vector<TestCharge>& charges :
       std::vector<std::vector<TestCharge>>{
           {plain},
           {plain, other},
           {{.key = "bucket", .policy = bucket}},
           {{.key = "plain", .policy = PerHour(1), .cost = 1}, other},
           {{.key = "plain", .policy = PerHour(9), .cost = -9}}}) {
    const auto outcomes = store.Take(charges);
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  }
}

void ExpectNothingDenied(const RedisProcess& redis) {
  for (const RedisReply& entry : redis.Command({"ACL", "LOG"}).elements) {
    for (const RedisReply& word : entry.elements) {
      ADD_FAILURE() << "denied: " << word.text;
    }
  }
}

TEST(RedisAccessTest, AUserNeedsNoMoreRightsThanDocumented) {
  RedisProcess redis({.tcp = true});
  ASSERT_TRUE(redis.Command(LeastUser({"+select"})).ok());
  TopologyStore store("redis://limiter:s3same@" + redis.address() + "/1");
  store.WaitUntilReady();
  ExpectTakes(store);
  ASSERT_TRUE(redis.Command({"SCRIPT", "FLUSH"}).ok());
  ExpectTakes(store);
  ExpectNothingDenied(redis);
}

TEST(RedisAccessTest, AUserOfAClusterNeedsNoMoreRightsThanDocumented) {
  RedisCluster cluster;
  for (size_t i = 0; i < cluster.size(); ++i) {
    ASSERT_TRUE(
        cluster.node(i)
            .Command(LeastUser({"+asking", "+cluster|info", "+cluster|slots"}))
            .ok());
  }
  TopologyStore store("redis+cluster://limiter:s3same@" + cluster.hosts());
  store.WaitUntilReady();
  ExpectTakes(store);
  for (size_t i = 0; i < cluster.size(); ++i) {
    ExpectNothingDenied(cluster.node(i));
  }
}

TEST(RedisAccessTest, AWrongPasswordFailsAndIsNotShown) {
  RedisProcess redis({.tcp = true, .password = "right"});
  TopologyStore store("redis://:wr0ng@" + redis.address());
  WaitUntil("an attempt", [&] {
    return redis.Command({"INFO", "errorstats"}).text.find("WRONGPASS") !=
           std::string::npos;
  });
  const auto outcome = store.Take("a", 9);
  EXPECT_TRUE(absl::IsUnavailable(outcome.status()));
  EXPECT_EQ(std::string(outcome.status().message()).find("wr0ng"),
            std::string::npos);
}

TEST(RedisAccessTest, APasswordFileIsReadAtEachConnection) {
  const TempFolder folder;
  RedisProcess redis({.tcp = true});
  const auto change_password = [&](const std::string& password) {
    ASSERT_TRUE(redis
                    .Command({"ACL", "SETUSER", "limiter", "reset", "on",
                              ">" + password, "~*", "+@all"})
                    .ok());
    redis.Command({"CLIENT", "KILL", "USER", "limiter"});
  };
  change_password("first");
  RedisTarget target = TargetOf("redis://" + redis.address());
  target.credentials.user = "limiter";
  target.credentials.password_file = folder.Write("password", "first\n");
  TopologyStore store(target);
  store.WaitUntilReady();

  change_password("second");
  WaitUntil("the old password to fail", [&] { return !store.Answers(); });
  folder.Write("password", "second\n");
  store.WaitUntilReady();
  EXPECT_TRUE(store.Answers());
}

class RedisTlsTest : public ::testing::Test {
 protected:
  RedisTlsTest() {
    folder_.Write("ca.pem", authority_.CertificatePem());
    folder_.Write("redis.pem", server_.CertificatePem());
    folder_.Write("redis.key", server_.KeyPem());
    trusting_.ca_file =
        folder_.Write("trusted.pem", authority_.CertificatePem());
    options_.tcp = true;
    options_.tls_folder = fs::path(trusting_.ca_file).parent_path();
  }

  RedisTarget Target(const RedisProcess& redis, const TlsOptions& tls) {
    RedisTarget target =
        TargetOf("rediss://127.0.0.1:" + std::to_string(redis.tls_port()));
    target.tls = tls;
    return target;
  }
  // TLS options with a new client certificate, signed by `authority`.
  TlsOptions WithIdentity(const Identity& authority) {
    const Identity client = NewIdentity(authority, {.name = "ratelimitd"});
    TlsOptions tls = trusting_;
    tls.certificate_file = folder_.Write("own.pem", client.CertificatePem());
    tls.key_file = folder_.Write("own.key", client.KeyPem());
    return tls;
  }
  // Expects that each attempt to connect fails, on either side.
  static void ExpectRefused(TopologyStore& store, const RedisProcess& redis) {
    WaitUntil("attempts that fail", [&] {
      const std::string log = redis.Log();
      const std::string sign = "Error accepting a client connection";
      const size_t first = log.find(sign);
      return first != std::string::npos &&
             log.find(sign, first + 1) != std::string::npos;
    });
    EXPECT_FALSE(store.ready());
    EXPECT_TRUE(absl::IsUnavailable(store.Take("a", 9).status()));
  }

  const TempFolder folder_;
  const Identity authority_ = NewAuthority("authority");
  const Identity stranger_ = NewAuthority("stranger");
  const Identity server_ = NewIdentity(authority_, {});
  TlsOptions trusting_;
  RedisProcessOptions options_;
};

TEST_F(RedisTlsTest, CountsOverTlsWithAClientCertificate) {
  const RedisProcess redis(options_);
  TopologyStore store(Target(redis, WithIdentity(authority_)));
  store.WaitUntilReady();
  ExpectTakes(store);
}

TEST_F(RedisTlsTest, AClientWithoutACertificateIsRefused) {
  const RedisProcess redis(options_);
  TopologyStore store(Target(redis, trusting_));
  ExpectRefused(store, redis);
}

TEST_F(RedisTlsTest, AServerOfAnUnknownAuthorityIsNotUsed) {
  const RedisProcess redis(options_);
  TlsOptions tls = WithIdentity(authority_);
  tls.ca_file = folder_.Write("stranger.pem", stranger_.CertificatePem());
  TopologyStore store(Target(redis, tls));
  ExpectRefused(store, redis);
}

TEST_F(RedisTlsTest, AServerOfAnotherNameIsNotUsed) {
  const RedisProcess redis(options_);
  TlsOptions tls = WithIdentity(authority_);
  tls.server_name = "elsewhere";
  TopologyStore store(Target(redis, tls));
  ExpectRefused(store, redis);
}

TEST_F(RedisTlsTest, ACertificateIsChangedWithoutARestart) {
  const RedisProcess redis(options_);
  TopologyStore store(Target(redis, WithIdentity(stranger_)));
  ExpectRefused(store, redis);
  WithIdentity(authority_);  // writes the same files
  store.WaitUntilReady();
  EXPECT_TRUE(store.Answers());
}

TEST_F(RedisTlsTest, AClusterIsReachedOverTls) {
  RedisCluster cluster({.tls_folder = options_.tls_folder});
  RedisTarget target = TargetOf("rediss+cluster://" + cluster.tls_hosts());
  target.tls = WithIdentity(authority_);
  TopologyStore store(target);
  store.WaitUntilReady();
  for (int i = 0; i < 50; ++i) {
    const auto outcome = store.Take(std::to_string(i), 9);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
  }
}

}  // namespace
}  // namespace rls
