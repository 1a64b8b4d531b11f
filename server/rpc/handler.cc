#include "rpc/handler.h"

#include <memory>
#include <utility>

#include "base/recycled.h"
#include "limiter/query.h"
#include "rpc/read_query.h"
#include "rpc/write_verdict.h"

namespace rls {
namespace {

// What a request needs until the limiter is done, maybe on another thread.
struct Request : Recycled<Request> {
  Query query;
  RateLimitHandler::ReplyCallback done;
};

// Lends a string the memory of the last one on its thread, so that an answer
// allocates nothing. Who is lent one while another is in use gets a new one.
class LentString {
 public:
  explicit LentString(std::string& to) : to_(to) { to_.swap(Spare()); }
  ~LentString() {
    // What one large answer needed is not kept for the small ones.
    constexpr size_t kKeptBytes = 16 << 10;
    if (to_.capacity() > kKeptBytes) return;
    to_.clear();
    to_.swap(Spare());
  }
  LentString(const LentString&) = delete;
  LentString& operator=(const LentString&) = delete;

 private:
  static std::string& Spare() {
    thread_local std::string spare;
    return spare;
  }

  std::string& to_;
};

}  // namespace

RateLimitHandler::RateLimitHandler(Limiter& limiter, const Clock& clock,
                                   AnswerSettings settings)
    : limiter_(limiter),
      clock_(clock),
      writer_(std::make_unique<const VerdictWriter>(std::move(settings))) {}

RateLimitHandler::~RateLimitHandler() = default;

void RateLimitHandler::ShouldRateLimit(absl::string_view request,
                                       absl::Time deadline, Caller* caller,
                                       ReplyCallback done) {
  if (clock_.Now() >= deadline) {
    done({.status = absl::DeadlineExceededError("the deadline has passed")});
    return;
  }
  auto asked = std::make_unique<Request>();
  Query& query = asked->query;
  query.deadline = deadline;
  query.caller = caller;
  if (absl::Status read = ReadQuery(request, query); !read.ok()) {
    done({.status = std::move(read)});
    return;
  }
  asked->done = std::move(done);
  // Two pointers: as much as the limiter can keep without allocating.
  limiter_.Check(query, [this, asked = std::move(asked)](
                            absl::StatusOr<const Verdict*> verdict) {
    if (!verdict.ok()) {
      asked->done({.status = verdict.status()});
      return;
    }
    Reply reply;
    const LentString lent(reply.response);
    reply.over_limit = (*verdict)->over_limit;
    writer_->Write(**verdict, reply.response);
    asked->done(reply);
  });
}

}  // namespace rls
