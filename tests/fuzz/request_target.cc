// Serialized RateLimitRequests, through the limiter, to serialized answers.

#include <deque>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/fuzz_limiter.h"
#include "fuzz/targets.h"
#include "limiter/caller.h"
#include "rpc/handler.h"
#include "rpc/read_query.h"
#include "rpc/wire.h"

namespace rls {
namespace {

using envoy::service::ratelimit::v3::RateLimitRequest;

constexpr const char* kDomains[] = {"tree",   "plain", "queue", "degrade",
                                    "tokens", "none",  ""};
constexpr const char* kKeys[] = {
    "a",     "b",      "c",     "d",          "e",       "user_id",
    "model", "tokens", "usage", "request_id", "api_key", "remote_address"};
constexpr const char* kValues[] = {"",
                                   "u",
                                   "v",
                                   "w",
                                   "x1y",
                                   "big",
                                   "small",
                                   "7",
                                   "100",
                                   "report",
                                   "id1",
                                   "10.1.2.3",
                                   "2001:db8::1",
                                   "99999999999999999999"};

// One request and its answer.
struct Call {
  std::string bytes;
  size_t descriptors = 0;
  Caller caller;
  int answers = 0;
};

std::string AnyEntry(FuzzInput& input) {
  std::string entry;
  WireWriter writer(entry);
  writer.Bytes(1, input.OneOf(kKeys));
  const bool known = !input.Bit();
  writer.Bytes(2, known ? input.OneOf(kValues) : input.Take(3));
  return entry;
}

std::string AnyDescriptor(FuzzInput& input) {
  std::string descriptor;
  WireWriter writer(descriptor);
  const uint8_t choices = input.Byte();
  for (int count = choices % 5; count > 0; --count) {
    writer.Bytes(1, AnyEntry(input));
  }
  if (choices & 0x20) {
    std::string limit;
    WireWriter numbers(limit);
    numbers.Number(1, input.Byte());
    numbers.Number(2, input.Below(9));
    if (input.Bit()) {
      std::string multiplier;
      WireWriter(multiplier).Number(1, input.Number(4));
      numbers.Bytes(3, multiplier);
    }
    writer.Bytes(2, limit);
  }
  if (choices & 0x40) {
    std::string hits;
    WireWriter(hits).Number(1, input.Bit() ? input.Number(8) : input.Byte());
    writer.Bytes(3, hits);
  }
  if (choices & 0x80) writer.Number(4, 1);
  return descriptor;
}

std::string AnyRequest(FuzzInput& input) {
  std::string request;
  WireWriter writer(request);
  writer.Bytes(1, input.OneOf(kDomains));
  for (size_t count = input.Below(4); count > 0; --count) {
    writer.Bytes(2, AnyDescriptor(input));
  }
  if (input.Bit()) writer.Number(3, input.Byte());
  return request;
}

bool IsText(const Query& query) {
  bool is_text = IsUtf8(query.domain);
  for (const Descriptor& descriptor : query.descriptors) {
    for (const Entry& entry : descriptor.entries) {
      is_text &= IsUtf8(entry.key) && IsUtf8(entry.value);
    }
  }
  return is_text;
}

// The reader agrees with the generated class, which accepts only UTF-8.
void CompareReaders(absl::string_view bytes, const Query& query) {
  RateLimitRequest message;
  if (!IsText(query)) return;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return;  // a text that a later one replaces is not UTF-8
  }
  Require(query.domain == message.domain(), "both readers find the domain");
  Require(query.hits == message.hits_addend(), "both readers find the hits");
  Require(query.descriptors.size() ==
              static_cast<size_t>(message.descriptors_size()),
          "both readers find the descriptors");
  for (size_t i = 0; i < query.descriptors.size(); ++i) {
    const auto& expected = message.descriptors(static_cast<int>(i));
    const Descriptor& read = query.descriptors[i];
    Require(read.entries.size() == static_cast<size_t>(expected.entries_size()),
            "both readers find the entries");
    for (size_t j = 0; j < read.entries.size(); ++j) {
      const auto& entry = expected.entries(static_cast<int>(j));
      Require(read.entries[j].key == entry.key() &&
                  read.entries[j].value == entry.value(),
              "both readers find the text of an entry");
    }
    Require(read.limit_override.has_value() == expected.has_limit(),
            "both readers find the limit");
    Require(read.hits.has_value() == expected.has_hits_addend(),
            "both readers find the hits of a descriptor");
    Require(read.hits.value_or(0) == expected.hits_addend().value(),
            "both readers read the hits of a descriptor");
    Require(read.is_negative_hits == expected.is_negative_hits(),
            "both readers find a refund");
  }
}

void CheckResponse(const RateLimitHandler::Answer& answer, size_t descriptors) {
  WireReader reader(answer.response);
  uint64_t code = 0;
  size_t statuses = 0;
  while (reader.Next()) {
    if (reader.field() == 1) {
      reader.ReadVarint(code);
    } else {
      statuses += reader.field() == 2 ? 1 : 0;
      reader.Skip();
    }
  }
  Require(reader.ok(), "an answer is well-formed");
  constexpr uint64_t kOk = 1;
  constexpr uint64_t kOverLimit = 2;
  Require(code == (answer.over_limit ? kOverLimit : kOk),
          "an answer has its overall code");
  Require(statuses == descriptors, "each descriptor has a status");
}

void CheckAnswer(const RateLimitHandler::Answer& answer, size_t descriptors) {
  switch (answer.status.code()) {
    case absl::StatusCode::kOk:
      CheckResponse(answer, descriptors);
      return;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return;
    default:
      Require(false, "a failure has a code of the contract");
  }
}

class RequestTarget {
 public:
  void Step(FuzzInput& input) {
    const uint8_t step = input.Byte();
    if (step < 32) {
      server_.Pass(absl::Milliseconds(static_cast<int64_t>(input.Number(2))));
    } else if (step < 48) {
      server_.Pass(absl::Seconds(static_cast<int64_t>(input.Number(3))));
    } else if (step < 64 && !calls_.empty()) {
      calls_[input.Below(calls_.size())].caller.Leave();
    } else if (step == 64) {
      server_.Drain();
    } else {
      Start(step, input);
    }
  }

  void Finish() {
    server_.Drain();
    for (Call& call : calls_) {
      call.caller.Leave();
      Require(call.answers == 1, "each request is answered once");
    }
  }

 private:
  void Start(uint8_t step, FuzzInput& input) {
    Call& call = calls_.emplace_back();
    call.bytes = step % 2 == 0 ? AnyRequest(input) : std::string(input.Text());
    Query query;
    if (ReadQuery(call.bytes, query).ok()) CompareReaders(call.bytes, query);
    call.descriptors = query.descriptors.size();
    absl::Time deadline = absl::InfiniteFuture();
    if (step % 8 < 2) {
      deadline = server_.clock().Now() + absl::Seconds(input.Byte());
    }
    handler_.ShouldRateLimit(call.bytes, deadline,
                             step % 16 < 12 ? &call.caller : nullptr,
                             [&call](const RateLimitHandler::Answer& answer) {
                               ++call.answers;
                               CheckAnswer(answer, call.descriptors);
                             });
  }

  // Declared first: the limiter may answer a call while it is destroyed.
  std::deque<Call> calls_;
  FuzzLimiter server_;
  RateLimitHandler handler_{server_.limiter(),
                            server_.clock(),
                            {.headers = true, .dynamic_metadata = true}};
};

}  // namespace

void FuzzRequest(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  RequestTarget target;
  while (!input.empty()) target.Step(input);
  target.Finish();
}

}  // namespace rls
