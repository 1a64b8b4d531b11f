#include "rules/secret_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace rls {
namespace {

TEST(SecretKeysTest, KnowsTheKeysThatUsuallyHoldSecrets) {
  for (const char* key : {"jwt",
                          "token",
                          "auth",
                          "authorization",
                          "Proxy-Authorization",
                          "secret",
                          "bearer",
                          "session",
                          "session_id",
                          "sessionId",
                          "sid",
                          "connect.sid",
                          "cookie",
                          "set-cookie",
                          "password",
                          "passwd",
                          "api_key",
                          "apikey",
                          "APIKEY",
                          "apiKey",
                          "api key",
                          "x-api-key",
                          "X-Api-Key",
                          "access_token",
                          "refresh_token",
                          "id_token",
                          "csrf-token",
                          "X-Auth-Token",
                          "client_secret",
                          "clientSecret",
                          "private_key",
                          "access-key",
                          "aws_secret_access_key",
                          "credential",
                          "credentials",
                          "user.password",
                          "signature",
                          "_token_"}) {
    EXPECT_TRUE(HoldsSecrets(key)) << key;
  }
}

TEST(SecretKeysTest, OtherKeysAreShown) {
  for (const char* key :
       {"", "user", "user_id", "path", "remote_address", "model", "tokens",
        "author", "authority", "keyword", "api", "key", "api_version",
        "obsession", "inside", "secretary", "sessions",
        "a_very_long_word_authorizationauthorization", "api__x__key"}) {
    EXPECT_FALSE(HoldsSecrets(key)) << key;
  }
}

TEST(SecretKeysTest, TheWordsAreInOrder) {
  EXPECT_TRUE(std::is_sorted(SecretWords().begin(), SecretWords().end()));
  for (const absl::string_view word : SecretWords()) {
    EXPECT_TRUE(HoldsSecrets(word)) << word;
    EXPECT_TRUE(HoldsSecrets(std::string("x-") + std::string(word)));
  }
}

TEST(SecretKeysTest, TheSecurityPageListsTheWords) {
  std::ifstream page(RLS_SECURITY_PAGE);
  std::string words;
  for (std::string line; std::getline(page, line);) {
    if (!absl::StartsWith(line, "> ")) continue;
    absl::StrAppend(&words, line.substr(2), " ");
  }
  EXPECT_EQ(words, absl::StrJoin(SecretWords(), ", ") + " ");
}

}  // namespace
}  // namespace rls
