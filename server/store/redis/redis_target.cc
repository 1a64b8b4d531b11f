#include "store/redis/redis_target.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"

namespace rls {
namespace {

constexpr size_t kMaxPasswordBytes = 64 << 10;

constexpr uint16_t kRedisPort = 6379;
constexpr uint16_t kSentinelPort = 26379;
// The most sentinels or nodes in a URL. The others are found through these.
constexpr size_t kMaxHosts = 64;

struct Scheme {
  absl::string_view name;
  RedisTarget::Kind kind = RedisTarget::Kind::kSingle;
  bool tls = false;
  bool unix_path = false;
};

constexpr Scheme kSchemes[] = {
    {.name = "redis"},
    {.name = "rediss", .tls = true},
    {.name = "unix", .unix_path = true},
    {.name = "redis+sentinel", .kind = RedisTarget::Kind::kSentinel},
    {.name = "rediss+sentinel",
     .kind = RedisTarget::Kind::kSentinel,
     .tls = true},
    {.name = "redis+cluster", .kind = RedisTarget::Kind::kCluster},
    {.name = "rediss+cluster",
     .kind = RedisTarget::Kind::kCluster,
     .tls = true},
};

// An error never quotes the URL: if an "@" or "/" is misplaced, any section of
// the URL may belong to the password.
absl::Status Expected(absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("Redis URL: expected ", expected));
}

int HexDigit(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (!absl::ascii_isxdigit(byte)) return -1;
  return absl::ascii_isdigit(byte) ? c - '0'
                                   : absl::ascii_tolower(byte) - 'a' + 10;
}

absl::StatusOr<std::string> PercentDecode(absl::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    if (text[0] != '%') {
      decoded.push_back(text[0]);
      text.remove_prefix(1);
      continue;
    }
    const int high = text.size() < 3 ? -1 : HexDigit(text[1]);
    const int low = text.size() < 3 ? -1 : HexDigit(text[2]);
    if (high < 0 || low < 0) return Expected("two hex digits behind each %");
    decoded.push_back(static_cast<char>(high * 16 + low));
    text.remove_prefix(3);
  }
  return decoded;
}

// Reads "user:password", ":password", or, as redis-cli does, a password alone.
absl::Status ReadCredentials(absl::string_view text,
                             RedisCredentials& credentials) {
  const size_t colon = text.find(':');
  const bool has_user = colon != text.npos;
  const auto user = PercentDecode(has_user ? text.substr(0, colon) : "");
  if (!user.ok()) return user.status();
  const auto password = PercentDecode(has_user ? text.substr(colon + 1) : text);
  if (!password.ok()) return password.status();
  credentials.user = *user;
  credentials.password = *password;
  return absl::OkStatus();
}

absl::Status ReadDatabase(absl::string_view text, int& database) {
  const bool digits =
      std::all_of(text.begin(), text.end(),
                  [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (!digits || !absl::SimpleAtoi(text, &database)) {
    return Expected("the number of a database behind the host");
  }
  return absl::OkStatus();
}

absl::Status ReadHosts(absl::string_view text, RedisTarget& target) {
  const std::vector<absl::string_view> hosts = absl::StrSplit(text, ',');
  if (target.kind == RedisTarget::Kind::kSingle && hosts.size() > 1) {
    return Expected(
        "one host; several are for redis+sentinel:// and redis+cluster://");
  }
  if (hosts.size() > kMaxHosts) {
    return Expected(absl::StrCat("at most ", kMaxHosts, " hosts"));
  }
  const uint16_t port =
      target.kind == RedisTarget::Kind::kSentinel ? kSentinelPort : kRedisPort;
  for (size_t i = 0; i < hosts.size(); ++i) {
    absl::StatusOr<Endpoint> endpoint = ParseEndpoint(hosts[i], port);
    if (!endpoint.ok()) {
      return Expected(absl::StrCat("host, host:port or [v6]:port as host ",
                                   i + 1, " of ", hosts.size()));
    }
    target.endpoints.push_back(*std::move(endpoint));
  }
  return absl::OkStatus();
}

// Reads the path behind the hosts: [master/][database].
absl::Status ReadPath(absl::string_view path, RedisTarget& target) {
  if (target.kind == RedisTarget::Kind::kSentinel) {
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(path, absl::MaxSplits('/', 1));
    const auto name = PercentDecode(halves.first);
    if (!name.ok()) return name.status();
    if (name->empty()) return Expected("the master's name: host,host/master");
    target.master_name = *name;
    path = halves.second;
  }
  if (path.empty()) return absl::OkStatus();
  if (target.kind == RedisTarget::Kind::kCluster && path != "0") {
    return Expected("no database: a cluster has only the one");
  }
  return ReadDatabase(path, target.database);
}

// Reads the path of a socket, and an optional ?db=1 behind it.
absl::Status ReadUnix(absl::string_view rest, RedisTarget& target) {
  const std::pair<absl::string_view, absl::string_view> halves =
      absl::StrSplit(rest, absl::MaxSplits('?', 1));
  absl::string_view query = halves.second;
  const auto path = PercentDecode(halves.first);
  if (!path.ok()) return path.status();
  absl::StatusOr<Endpoint> endpoint = ParseEndpoint(*path, kRedisPort);
  if (!endpoint.ok() || endpoint->unix_path.empty()) {
    return Expected("the path of a socket: unix:///path");
  }
  target.endpoints.push_back(*std::move(endpoint));
  if (query.empty()) return absl::OkStatus();
  if (query.substr(0, 3) != "db=" || query.size() == 3) {
    return Expected("?db=number or nothing behind the path");
  }
  return ReadDatabase(query.substr(3), target.database);
}

absl::Status Read(const Scheme& scheme, absl::string_view rest,
                  RedisTarget& target) {
  target.kind = scheme.kind;
  if (scheme.tls) target.tls.emplace();
  // The last "@" ends the password, which may contain an unescaped "@".
  const bool bare_path = scheme.unix_path && absl::StartsWith(rest, "/");
  const size_t at = bare_path ? rest.npos : rest.rfind('@');
  if (at != rest.npos) {
    absl::Status status =
        ReadCredentials(rest.substr(0, at), target.credentials);
    if (!status.ok()) return status;
    rest.remove_prefix(at + 1);
  }
  if (scheme.unix_path) return ReadUnix(rest, target);
  const size_t slash = rest.find('/');
  absl::Status hosts = ReadHosts(rest.substr(0, slash), target);
  if (!hosts.ok()) return hosts;
  return ReadPath(slash == rest.npos ? "" : rest.substr(slash + 1), target);
}

}  // namespace

absl::StatusOr<std::string> RedisCredentials::CurrentPassword() const {
  if (password_file.empty()) return password;
  absl::StatusOr<std::string> text = ReadFile(password_file, kMaxPasswordBytes);
  if (text.ok()) absl::StripTrailingAsciiWhitespace(&*text);
  return text;
}

absl::StatusOr<RedisTarget> ParseRedisUrl(absl::string_view url) {
  RedisTarget target;
  const size_t separator = url.find("://");
  if (separator == url.npos) {
    absl::StatusOr<Endpoint> endpoint = ParseEndpoint(url, kRedisPort);
    if (!endpoint.ok()) return endpoint.status();
    target.endpoints.push_back(*std::move(endpoint));
    return target;
  }
  const std::string name = absl::AsciiStrToLower(url.substr(0, separator));
  for (const Scheme& scheme : kSchemes) {
    if (scheme.name != name) continue;
    const absl::Status status = Read(scheme, url.substr(separator + 3), target);
    if (!status.ok()) return status;
    return target;
  }
  return Expected(
      "redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://");
}

}  // namespace rls
