#include "admin/forward_auth.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "admin/failure.h"
#include "admin/http_trace.h"
#include "base/recycled.h"
#include "base/text.h"
#include "limiter/end_trace.h"
#include "rpc/read_query.h"
#include "rules/network.h"

namespace rls {
namespace {

// nginx reads all headers of the answer to a sub-request into one 4 KiB page.
constexpr size_t kMaxBodyInHeader = 2 << 10;

absl::StatusOr<HeaderEntry> ParseEntry(absl::string_view text) {
  const size_t equals = std::min(text.find('='), text.size());
  HeaderEntry entry{
      .key = std::string(absl::StripAsciiWhitespace(text.substr(0, equals)))};
  bool is_good = !entry.key.empty() && equals < text.size();
  for (absl::string_view name :
       absl::StrSplit(absl::ClippedSubstr(text, equals + 1), '|')) {
    name = absl::StripAsciiWhitespace(name);
    is_good &= IsHeaderName(name);
    entry.headers.emplace_back(name);
  }
  if (is_good) return entry;
  return absl::InvalidArgumentError(
      absl::StrCat("found ", Quoted(text), ", expected key=Header"));
}

// The value of an entry, in the memory of the call.
struct Place {
  size_t begin = 0;
  size_t size = 0;
};

// Appends all values of a header to `values`, joined with commas in the order
// of arrival.
Place AppendHeader(const HttpRequest& request, absl::string_view name,
                   std::string& values) {
  Place place{.begin = values.size()};
  bool is_first = true;
  for (const HttpField& field : request.fields) {
    if (!absl::EqualsIgnoreCase(field.name, name)) continue;
    absl::StrAppend(&values, is_first ? "" : ",", field.value);
    is_first = false;
  }
  place.size = values.size() - place.begin;
  return place;
}

Place AppendValue(const HeaderEntry& entry, const HttpRequest& request,
                  std::string& values) {
  for (const std::string& name : entry.headers) {
    Place place = AppendHeader(request, name, values);
    // Each hop appends the address of its peer. Only the last address was
    // written by the gateway; the client may have sent all others.
    if (absl::EqualsIgnoreCase(name, "X-Forwarded-For")) {
      const absl::string_view all =
          absl::string_view(values).substr(place.begin, place.size);
      const absl::string_view last = BareAddress(
          absl::StripAsciiWhitespace(all.substr(all.rfind(',') + 1)));
      place = {static_cast<size_t>(last.data() - values.data()), last.size()};
    }
    if (place.size > 0) return place;
  }
  return {};
}

// Appends the descriptors to `query`. The entries view `descriptors` and
// `values`. A descriptor without any of its headers stays, with no entry: the
// tiers treat it as an anonymous user, so no request bypasses the limits.
void AddDescriptors(const HeaderDescriptors& descriptors,
                    const HttpRequest& request, std::string& values,
                    Query& query) {
  absl::InlinedVector<Place, 16> places;
  for (const std::vector<HeaderEntry>& entries : descriptors) {
    Descriptor& descriptor = query.descriptors.emplace_back();
    for (const HeaderEntry& entry : entries) {
      const Place place = AppendValue(entry, request, values);
      if (place.size == 0) continue;
      descriptor.entries.push_back({entry.key, ""});
      places.push_back(place);
    }
  }
  // Now `values` grows no more.
  const Place* place = places.data();
  for (Descriptor& descriptor : query.descriptors) {
    for (Entry& entry : descriptor.entries) {
      entry.value = absl::string_view(values).substr(place->begin, place->size);
      ++place;
    }
  }
}

}  // namespace

absl::StatusOr<HeaderDescriptors> ParseHeaderDescriptors(
    absl::string_view text) {
  HeaderDescriptors descriptors;
  for (absl::string_view descriptor : absl::StrSplit(text, ';')) {
    descriptors.emplace_back();
    for (absl::string_view item : absl::StrSplit(descriptor, ',')) {
      absl::StatusOr<HeaderEntry> entry = ParseEntry(item);
      if (!entry.ok()) return entry.status();
      descriptors.back().push_back(*std::move(entry));
    }
  }
  return descriptors;
}

absl::StatusOr<ForwardAuth> ForwardAuth::Make(ForwardAuthSettings settings,
                                              AnswerSettings answers,
                                              Limiter& limiter,
                                              const Clock& clock,
                                              Tracer* tracer) {
  auto descriptors = ParseHeaderDescriptors(settings.descriptors);
  if (!descriptors.ok()) return descriptors.status();
  answers.headers = true;
  return ForwardAuth(std::move(settings), std::move(answers),
                     *std::move(descriptors), limiter, clock, tracer);
}

ForwardAuth::ForwardAuth(ForwardAuthSettings settings, AnswerSettings answers,
                         HeaderDescriptors descriptors, Limiter& limiter,
                         const Clock& clock, Tracer* tracer)
    : settings_(std::move(settings)),
      answers_(std::move(answers)),
      descriptors_(std::move(descriptors)),
      limiter_(&limiter),
      clock_(&clock),
      tracer_(tracer) {}

// The state of a request until the limiter answers, possibly on another thread.
struct ForwardAuth::Call : Recycled<Call> {
  explicit Call(HttpReply reply_to) : reply(std::move(reply_to)) {}

  HttpReply reply;
  Query query;
  std::string values;                   // of the headers
  std::unique_ptr<RequestTrace> trace;  // null: not traced
  bool body_as_header = false;
};

void ForwardAuth::Decide(const HttpRequest& request, HttpReply reply) const {
  auto call = std::make_unique<Call>(std::move(reply));
  Query& query = call->query;
  query.domain = settings_.domain;
  call->trace = StartTrace(tracer_, "/v1/forward-auth", request);
  query.trace = call->trace.get();
  AddDescriptors(descriptors_, request, call->values, query);
  absl::Status status = CheckQuery(query);
  status.Update(ReadOptions(request.query, *call));
  if (!status.ok()) {
    EndTrace(call->trace, query, status);
    SendFailure(status, call->reply);
    return;
  }
  // The callback captures two pointers, which AnyInvocable stores without an
  // allocation.
  limiter_->Check(query, [this, call = std::move(call)](
                             absl::StatusOr<const Verdict*> verdict) {
    EndTrace(call->trace, call->query, verdict);
    if (verdict.ok()) {
      Answer(*call, **verdict);
    } else {
      SendFailure(verdict.status(), call->reply);
    }
  });
}

// Sets the deadline, the caller, and the form of the answer.
absl::Status ForwardAuth::ReadOptions(absl::string_view query,
                                      Call& call) const {
  absl::Duration timeout = settings_.timeout;
  if (!query.empty()) {
    call.body_as_header = QueryValue(query, "body") == "header";
    const std::string wait = QueryValue(query, "wait");
    if (!wait.empty()) {
      if (!absl::ParseDuration(wait, &timeout)) {
        return absl::InvalidArgumentError(
            absl::StrCat("wait: found ", Quoted(wait),
                         ", expected a duration with its unit, such as 30s"));
      }
      call.query.caller = &call.reply.caller();
    }
  }
  if (timeout <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("the deadline has passed");
  }
  call.query.deadline = clock_->Now() + timeout;
  return absl::OkStatus();
}

void ForwardAuth::Answer(Call& call, const Verdict& verdict) const {
  // One per thread: an answer needs no allocation.
  thread_local std::string lines;
  lines.clear();
  const auto add = [](absl::string_view name, absl::string_view value) {
    AppendHttpHeader(name, value, lines);
  };
  AddClientHeaders(answers_, verdict, add);
  // The gateway copies the headers that it is configured for into the request
  // to the upstream.
  AddUpstreamHeaders(verdict, add);
  const absl::string_view body = RefusalBody(verdict);
  if (call.body_as_header && !body.empty() && body.size() <= kMaxBodyInHeader) {
    add("RateLimit-Body", body);
  }
  call.reply.Send({.status = verdict.over_limit ? 429 : 200,
                   .headers = lines,
                   .body = body});
}

}  // namespace rls
