#include "http/http_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "http/http_bounds.h"

namespace rls {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// The result of reading one request.
struct Parsed {
  int status = 0;  // of a refusal; 0: not refused
  bool whole = false;
  size_t taken = 0;  // bytes of a whole request
  std::string body;
};

// Feeds `bytes` in pieces, as a connection does: it keeps the bytes that the
// parser did not take.
Parsed Parse(const std::string& bytes, size_t piece = 1 << 30) {
  using Found = HttpParser::Found;
  HttpParser parser;
  Parsed parsed;
  std::string kept;
  std::string head;
  bool in_body = false;
  for (size_t at = 0; at < bytes.size() && !parsed.whole; at += piece) {
    kept += bytes.substr(at, piece);
    Found found = Found::kWhole;
    if (!in_body) {
      found = parser.ReadHead(kept);
      if (found == Found::kWhole) {
        parsed.taken += parser.head_bytes();
        in_body = parser.has_body();
        parser.MoveHead(head);
        kept.erase(0, parser.head_bytes());
        parsed.whole = !in_body;
      }
    }
    if (in_body && found == Found::kWhole) {
      size_t taken = 0;
      found = parser.ReadBody(kept, &parsed.body, taken);
      parsed.taken += taken;
      kept.erase(0, taken);
      parsed.whole = found == Found::kWhole;
    }
    if (found == Found::kRefused) {
      parsed.status = parser.refusal().status;
      EXPECT_FALSE(parser.refusal().reason.empty());
      return parsed;
    }
  }
  return parsed;
}

std::string Get(const std::string& headers) {
  return absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\n", headers, "\r\n");
}
std::string Post(const std::string& headers, const std::string& body) {
  return absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\n", headers, "\r\n", body);
}

TEST(HttpParserTest, ReadsARequest) {
  const std::string bytes =
      "GET /a/b?c=d?e HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-A: \t v \t w\t \r\n"
      "x-a:\xffz\r\n\r\nGET";
  HttpParser parser;
  ASSERT_EQ(parser.ReadHead(bytes), HttpParser::Found::kWhole);
  EXPECT_EQ(parser.head_bytes(), bytes.size() - 3);
  const HttpRequest& request = parser.request();
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/a/b");
  EXPECT_EQ(request.query, "c=d?e");
  std::vector<std::pair<std::string, std::string>> fields;
  for (const HttpField& field : request.fields) {
    fields.emplace_back(field.name, field.value);
  }
  EXPECT_THAT(fields, ElementsAre(Pair("Host", "x"), Pair("X-Empty", ""),
                                  Pair("X-A", "v \t w"), Pair("x-a", "\xffz")));
  EXPECT_FALSE(parser.has_body());
  EXPECT_TRUE(parser.keeps_alive());
}

TEST(HttpParserTest, AMovedHeadKeepsItsValues) {
  std::string bytes =
      "POST /p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n";
  HttpParser parser;
  ASSERT_EQ(parser.ReadHead(bytes), HttpParser::Found::kWhole);
  std::string memory;
  parser.MoveHead(memory);
  bytes.assign(bytes.size(), '!');
  EXPECT_EQ(parser.request().method, "POST");
  EXPECT_EQ(parser.request().path, "/p");
  EXPECT_EQ(parser.request().query, "q");
  EXPECT_EQ(parser.request().fields[0].name, "Host");
  EXPECT_EQ(parser.request().fields[1].value, "1");
}

TEST(HttpParserTest, ATargetForProxiesIsItsPath) {
  for (const auto& [target, path] : {std::pair("http://other/live", "/live"),
                                     {"HTTPS://o:1/a?b", "/a"},
                                     {"http://other", "/"},
                                     {"*", "*"}}) {
    HttpParser parser;
    const std::string bytes =
        absl::StrCat("OPTIONS ", target, " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_EQ(parser.ReadHead(bytes), HttpParser::Found::kWhole);
    EXPECT_EQ(parser.request().path, path);
  }
}

// The forms that a gateway in front might read as another request.
void ExpectRefused(const std::vector<std::string>& cases) {
  for (const std::string& bytes : cases) {
    for (const size_t piece : {bytes.size(), size_t{1}}) {
      const Parsed parsed = Parse(bytes, piece);
      EXPECT_FALSE(parsed.whole) << bytes;
      EXPECT_EQ(parsed.status, 400) << bytes;
    }
  }
}

TEST(HttpParserTest, AnAmbiguousLengthIsRefused) {
  ExpectRefused({
      Post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
      Post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"),
      Post("Content-Length: 1\r\nContent-Length: 0\r\n", "x"),
      Post("Content-Length: 1, 1\r\n", "x"),
      Post("Content-Length: 0, 1\r\n", "x"),
      Post("Content-Length: +1\r\n", "x"),
      Post("Content-Length: -1\r\n", "x"),
      Post("Content-Length: 0x1\r\n", "x"),
      Post("Content-Length: 1 1\r\n", "x"),
      Post("Content-Length: 1.\r\n", "x"),
      Post("Content-Length: \r\n", "x"),
      Post("Content-Length: 99999999999999999999\r\n", "x"),
      Post("Content-Length: 18446744073709551617\r\n", "x"),
      Get("Content-Length: +5\r\n"),
  });
}

TEST(HttpParserTest, AnotherEncodingThanChunkedIsRefused) {
  ExpectRefused({
      Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: identity\r\n", ""),
      Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "0\r\n\r\n"),
      Post("Transfer-Encoding: \r\n", ""),
      Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
      Get("Transfer-Encoding: xchunked\r\n"),
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  });
}

TEST(HttpParserTest, ObsoleteLinesAreRefused) {
  ExpectRefused({
      Get("X-A : b\r\n"),
      Get("X-A\t: b\r\n"),
      Get("Content-Length : 5\r\n"),
      Get("X A: b\r\n"),
      Get(": b\r\n"),
      Get("X-A\r\n"),
      Get("X-A: b\r\n c\r\n"),
      Get("X-A: b\r\n\tc\r\n"),
      Get("X-A: b\r\n \r\n"),
      Get(" X-A: b\r\n"),
      "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
      Get("X-A: b\rc\r\n"),
      Get("X-A: b\nX-B: c\r\n"),
      "GET / HTTP/1.1\nHost: x\n\n",
      "GET / HTTP/1.1\r\nHost: x\n\r\n",
      Get(std::string("X-A: b\0c\r\n", 10)),
      Get(std::string("X-\0A: b\r\n", 9)),
      Get("X-A: b\x01\r\n"),
      Get("X-A: b\x7f\r\n"),
      Get("X-\x80: b\r\n"),
  });
}

TEST(HttpParserTest, ABadRequestLineIsRefused) {
  ExpectRefused({
      "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
      "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /\r\n\r\n",
      "GET / HTTP/1.x\r\nHost: x\r\n\r\n",
      "GET / http/1.1\r\nHost: x\r\n\r\n",
      "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
      "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
  });
}

TEST(HttpParserTest, ARequestHasOneHost) {
  ExpectRefused({
      "GET / HTTP/1.1\r\n\r\n",
      Get("Host: y\r\n"),
      "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
  });
}

TEST(HttpParserTest, ABadChunkIsRefused) {
  ExpectRefused({
      Post("Transfer-Encoding: chunked\r\n", "x\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "-1\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "1;\r\na\r\n0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "1 \r\na\r\n0\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "0\r\nX A: b\r\n\r\n"),
      Post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 1\r\n\r\n"),
  });
}

TEST(HttpParserTest, AnotherVersionIs505) {
  EXPECT_EQ(Parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 505);
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/9.9"}) {
    EXPECT_EQ(
        Parse(absl::StrCat("GET / ", version, "\r\nHost: x\r\n\r\n")).status,
        505);
  }
}

TEST(HttpParserTest, AnotherExpectationIs417) {
  EXPECT_EQ(Parse(Post("Content-Length: 1\r\nExpect: 200-ok\r\n", "x")).status,
            417);
  HttpParser parser;
  const std::string bytes =
      Post("Content-Length: 1\r\nExpect: 100-Continue\r\n", "");
  ASSERT_EQ(parser.ReadHead(bytes), HttpParser::Found::kWhole);
  EXPECT_TRUE(parser.expects_continue());
}

TEST(HttpParserTest, TheFirstByteBehindAnEmptyLineIsCheckedInAnyPieces) {
  const std::string bytes = "\r\n\x7f";
  for (const size_t piece : {bytes.size(), size_t{1}}) {
    EXPECT_EQ(Parse(bytes, piece).status, 400);
  }
}

TEST(HttpParserTest, OneEmptyLineMayPrecedeARequest) {
  const std::string bytes = "\r\n" + Get("");
  for (const size_t piece : {bytes.size(), size_t{1}}) {
    const Parsed parsed = Parse(bytes, piece);
    EXPECT_TRUE(parsed.whole);
    EXPECT_EQ(parsed.taken, bytes.size());
  }
}

// The CR of the empty line once counted as a byte of the head that was checked.
TEST(HttpParserTest, AnEmptyLineInPiecesHidesNoByte) {
  HttpParser parser;
  std::string bytes = "\r";
  EXPECT_EQ(parser.ReadHead(bytes), HttpParser::Found::kPart);
  bytes += '\n';
  EXPECT_EQ(parser.ReadHead(bytes), HttpParser::Found::kPart);
  bytes += '\0';
  EXPECT_EQ(parser.ReadHead(bytes), HttpParser::Found::kRefused);
}

// The body is never taken for the next request, whatever the method is.
TEST(HttpParserTest, EveryMethodMayHaveABody) {
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string chunk =
      absl::StrCat(absl::Hex(hidden.size()), ";a=\"b\"", "\r\n", hidden,
                   "\r\n0\r\n", "X-Trailer: t\r\n\r\n");
  for (const char* method : {"GET", "HEAD", "POST", "QUERY", "DELETE",
                             "OPTIONS", "TRACE", "CONNECT", "get"}) {
    const std::string start =
        absl::StrCat(method, " / HTTP/1.1\r\nHost: x\r\n");
    const std::string plain = absl::StrCat(
        start, "Content-Length: ", hidden.size(), "\r\n\r\n", hidden);
    const std::string chunked =
        absl::StrCat(start, "Transfer-Encoding: Chunked\r\n\r\n", chunk);
    for (const std::string& bytes : {plain, chunked}) {
      for (const size_t piece : {bytes.size() + 10, size_t{7}, size_t{1}}) {
        const Parsed parsed = Parse(bytes + "GET / HTT", piece);
        EXPECT_TRUE(parsed.whole) << bytes;
        EXPECT_EQ(parsed.taken, bytes.size()) << bytes;
        EXPECT_EQ(parsed.body, hidden) << bytes;
      }
    }
  }
}

TEST(HttpParserTest, KeepAliveFollowsVersionAndHeader) {
  const auto keeps = [](const std::string& bytes) {
    HttpParser parser;
    EXPECT_EQ(parser.ReadHead(bytes), HttpParser::Found::kWhole) << bytes;
    return parser.keeps_alive();
  };
  EXPECT_TRUE(keeps(Get("")));
  EXPECT_TRUE(keeps(Get("Connection: Upgrade, foo\r\nUpgrade: h2c\r\n")));
  EXPECT_FALSE(keeps(Get("Connection: foo, Close\r\n")));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_FALSE(keeps("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n"));
}

TEST(HttpParserTest, AHeadOverTheLimitIs431) {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\nX-A: ";
  const size_t rest = kMaxHttpHeadBytes - start.size() - 4;
  EXPECT_TRUE(Parse(start + std::string(rest, 'a') + "\r\n\r\n").whole);
  EXPECT_EQ(Parse(start + std::string(rest + 1, 'a') + "\r\n\r\n").status, 431);
  // Without an end.
  EXPECT_EQ(Parse(std::string(kMaxHttpHeadBytes, 'a'), 1000).status, 431);
}

TEST(HttpParserTest, TooManyHeadersAre431) {
  std::string headers;
  for (size_t i = 2; i <= kMaxHttpHeaders; ++i) headers += "a: b\r\n";
  EXPECT_TRUE(Parse(Get(headers)).whole);
  EXPECT_EQ(Parse(Get(headers + "a: b\r\n")).status, 431);
}

TEST(HttpParserTest, ABodyOverTheLimitIs413) {
  const auto length = [](size_t bytes) {
    return absl::StrCat("Content-Length: ", bytes, "\r\n");
  };
  EXPECT_TRUE(Parse(Post(length(kMaxHttpBodyBytes),
                         std::string(kMaxHttpBodyBytes, 'x')))
                  .whole);
  EXPECT_EQ(Parse(Post(length(kMaxHttpBodyBytes + 1), "")).status, 413);
  const auto chunks = [](size_t count) {
    std::string body;
    const std::string chunk =
        absl::StrCat("10000\r\n", std::string(1 << 16, 'x'), "\r\n");
    for (size_t i = 0; i < count; ++i) body += chunk;
    return Post("Transfer-Encoding: chunked\r\n", body + "0\r\n\r\n");
  };
  EXPECT_TRUE(Parse(chunks(16), 5000).whole);
  EXPECT_EQ(Parse(chunks(17), 5000).status, 413);
  EXPECT_EQ(
      Parse(Post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFF\r\n"))
          .status,
      400);
  EXPECT_EQ(
      Parse(Post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFF\r\n"))
          .status,
      413);
}

TEST(HttpParserTest, TheFramingOfABodyHasALimitToo) {
  const std::string extension = ";a=" + std::string(1000, 'b');
  const std::string chunk = absl::StrCat("1", extension, "\r\nx\r\n");
  std::string body;
  while (body.size() <= kMaxHttpBodyWireBytes) body += chunk;
  EXPECT_EQ(Parse(Post("Transfer-Encoding: chunked\r\n", body), 60'000).status,
            413);
  for (const char* start : {"1;a=", "0\r\nX: "}) {
    EXPECT_EQ(Parse(Post("Transfer-Encoding: chunked\r\n",
                         start + std::string(kMaxHttpChunkLineBytes, 'b')),
                    1000)
                  .status,
              400);
  }
}

TEST(HttpParserTest, ReadsOneRequestAfterAnother) {
  const std::string bytes =
      Post("Content-Length: 2\r\n", "ab") +
      Post("Transfer-Encoding: chunked\r\n", "1\r\nc\r\n0\r\n\r\n") +
      Get("X-Last: 1\r\n");
  HttpParser parser;
  absl::string_view rest = bytes;
  std::string bodies;
  int requests = 0;
  while (!rest.empty()) {
    ASSERT_EQ(parser.ReadHead(rest), HttpParser::Found::kWhole);
    rest.remove_prefix(parser.head_bytes());
    if (parser.has_body()) {
      size_t taken = 0;
      ASSERT_EQ(parser.ReadBody(rest, &bodies, taken),
                HttpParser::Found::kWhole);
      rest.remove_prefix(taken);
    }
    ++requests;
    parser.Reset();
  }
  EXPECT_EQ(requests, 3);
  EXPECT_EQ(bodies, "abc");
}

}  // namespace
}  // namespace rls
