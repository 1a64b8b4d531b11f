#include <curl/curl.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "commands.h"

namespace rls {
namespace {

using Json = nlohmann::ordered_json;

// Far more than the page of the largest configuration that a server accepts.
constexpr size_t kMaxPageBytes = size_t{1} << 30;

size_t Append(const char* data, size_t size, size_t count, void* page) {
  auto& text = *static_cast<std::string*>(page);
  if (text.size() + size * count > kMaxPageBytes) return 0;  // ends the call
  text.append(data, size * count);
  return size * count;
}

// The body of the page `url`, which must answer 200.
//
// Failure: UNAVAILABLE with the reason.
absl::StatusOr<std::string> Download(const std::string& url,
                                     absl::Duration timeout) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(
      curl_easy_init(), curl_easy_cleanup);
  std::string page;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  // The page is on this machine or inside the cluster.
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(timeout)));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &page);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    return absl::UnavailableError(curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    return absl::UnavailableError(absl::StrCat(
        "HTTP status ", status, "; expected the debug port of ratelimitd"));
  }
  return page;
}

std::string Text(const Json& value) {
  return EscapeControls(value.get<std::string>());
}

// Throws nlohmann's exceptions if `page` is not a page of ratelimitd.
std::string Readable(const Json& page) {
  const Json& loaded = page.at("loaded");
  std::string text = absl::StrCat(
      "source: ", Text(page.at("source")), " ",
      absl::StrJoin(page.at("places").get<std::vector<std::string>>(), ", "),
      page.contains("version")
          ? absl::StrCat(", version \"", Text(page.at("version")), "\"")
          : "",
      "\nhash: ", Text(page.at("hash")), "\nloaded: ",
      loaded.is_null() ? "no configuration has come yet" : Text(loaded), "\n");
  for (const Json& domain : page.at("domains")) {
    absl::StrAppend(&text, "domain ", Text(domain.at("domain")), "\n");
    for (const Json& part : domain.at("from")) {
      const std::string state = Text(part.at("state"));
      absl::StrAppend(
          &text, "  from ", Text(part.at("place")), ", hash ",
          Text(part.at("hash")),
          state == "good" ? "" : " (" + state + ", keeps its last good rules)",
          "\n");
    }
    for (const Json& rule : domain.at("rules")) {
      absl::StrAppend(&text, "  ", Text(rule), "\n");
    }
  }
  return text;
}

}  // namespace

int DumpConfig(const DumpArguments& arguments) {
  const std::string url = absl::StrCat("http://", arguments.address, "/config");
  const auto page = Download(url, arguments.timeout);
  if (!page.ok()) {
    std::fprintf(stderr, "ratelimitctl: no answer from %s: %s\n", url.c_str(),
                 std::string(page.status().message()).c_str());
    return kExitNoAnswer;
  }
  try {
    const Json json = Json::parse(*page);
    std::fputs((arguments.json ? *page : Readable(json)).c_str(), stdout);
  } catch (const Json::exception&) {
    std::fprintf(stderr, "ratelimitctl: %s is no page of ratelimitd\n",
                 url.c_str());
    return kExitNoAnswer;
  }
  return kExitOk;
}

}  // namespace rls
