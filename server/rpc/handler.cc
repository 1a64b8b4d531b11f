#include "rpc/handler.h"

#include <memory>
#include <utility>

#include "limiter/query.h"
#include "rpc/read_query.h"
#include "rpc/write_verdict.h"

namespace rls {

RateLimitHandler::RateLimitHandler(Limiter& limiter, const Clock& clock,
                                   AnswerSettings settings)
    : limiter_(limiter),
      clock_(clock),
      writer_(std::make_unique<VerdictWriter>(std::move(settings))) {}

RateLimitHandler::~RateLimitHandler() = default;

void RateLimitHandler::ShouldRateLimit(absl::string_view request,
                                       absl::Time deadline, Caller* caller,
                                       ReplyCallback done) {
  if (clock_.Now() >= deadline) {
    done({.status = absl::DeadlineExceededError("the deadline has passed")});
    return;
  }
  // The limiter needs the query until it is done, maybe on another thread.
  auto query = std::make_unique<Query>();
  query->deadline = deadline;
  query->caller = caller;
  if (absl::Status read = ReadQuery(request, *query); !read.ok()) {
    done({.status = std::move(read)});
    return;
  }
  const Query& view = *query;
  limiter_.Check(view, [this, query = std::move(query), done = std::move(done)](
                           absl::StatusOr<const Verdict*> verdict) mutable {
    if (!verdict.ok()) {
      done({.status = verdict.status()});
      return;
    }
    done({.status = absl::OkStatus(),
          .response = writer_->Write(**verdict),
          .over_limit = (*verdict)->over_limit});
  });
}

}  // namespace rls
