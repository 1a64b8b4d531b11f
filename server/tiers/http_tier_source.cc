#include "tiers/http_tier_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log_throttle.h"
#include "tiers/header_line.h"
#include "tiers/tier_cache.h"
#include "tiers/tier_flights.h"
#include "tiers/tier_metrics.h"
#include "tiers/tier_reply.h"
#include "tiers/user_url.h"

namespace rls {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(5);

class HttpTierSource final
    : public TierSource,
      public std::enable_shared_from_this<HttpTierSource> {
 public:
  HttpTierSource(const HttpTierSourceParts& parts, const std::string& domain,
                 const TierSourceSpec& spec)
      : parts_(parts),
        domain_(domain),
        spec_(spec),
        metrics_(parts.metrics, domain),
        log_(parts.clock, kLogInterval),
        cache_(spec_),
        flights_(
            {.loop = parts.loop,
             .metrics = metrics_,
             .max_concurrent = spec.max_concurrent,
             .timeout = absl::ToChronoNanoseconds(spec.timeout),
             .call = [this](const std::string& url,
                            auto done) { Call(url, std::move(done)); },
             .landed = [this](const std::string& user,
                              const Reply& reply) { Remember(user, reply); }}) {
  }

  void Ask(absl::string_view user, absl::Time deadline,
           AnswerCallback done) override {
    CachedTier known = cache_.Find(user, parts_.clock.Elapsed());
    if (known.age == CachedTier::Age::kFresh) {
      AnswerKnown(std::move(known), done);
      return;
    }
    std::optional<std::string> url = UserUrl(spec_.url, user);
    if (!url.has_value()) {
      metrics_.Count(LookupResult::kRefused);
      AnswerKnown({}, done);
      return;
    }
    if (flights_.is_paused()) {
      metrics_.Count(LookupResult::kPaused);
      AnswerKnown(std::move(known), done);
      return;
    }
    TierFlights::Caller caller{.user = std::string(user),
                               .url = *std::move(url)};
    if (known.age == CachedTier::Age::kAging || !spec_.wait) {
      PostJoin(std::move(caller));
      AnswerKnown(std::move(known), done);
      return;
    }
    caller.patience = PatienceOf(deadline);
    caller.done = [this, known = std::move(known),
                   done = std::move(done)](const Reply& reply) mutable {
      if (reply.ok()) {
        metrics_.Count(AnsweredFrom::kSource);
        done(*reply);
      } else {
        AnswerKnown(std::move(known), done);
      }
    };
    PostJoin(std::move(caller));
  }

  void Refresh(absl::string_view user, RefreshCallback done) override {
    std::optional<std::string> url = UserUrl(spec_.url, user);
    if (!url.has_value()) {
      metrics_.Count(LookupResult::kRefused);
      done(absl::InvalidArgumentError("no source is asked for such a user"));
      return;
    }
    TierFlights::Caller caller{.user = std::string(user),
                               .url = *std::move(url)};
    // The call that is under way, the wait for a turn, and its own call.
    caller.patience = absl::ToChronoNanoseconds(3 * spec_.timeout);
    caller.done = [done = std::move(done)](const Reply& reply) mutable {
      done(absl::IsAborted(reply.status())
               ? absl::UnavailableError(reply.status().message())
               : reply);
    };
    Post([this, caller = std::move(caller)]() mutable {
      flights_.JoinNext(std::move(caller));
    });
  }

 private:
  using Reply = TierFlights::Reply;
  using ReplyDone = absl::AnyInvocable<void(Reply)>;

  // The task, and whatever it begins, keeps the source alive.
  template <typename Task>
  void Post(Task task) {
    parts_.loop.Post([self = shared_from_this(),
                      task = std::move(task)]() mutable { task(); });
  }

  void AnswerKnown(CachedTier known, AnswerCallback& done) {
    metrics_.Count(!known.tier.has_value() ? AnsweredFrom::kNowhere
                   : known.age == CachedTier::Age::kExpired
                       ? AnsweredFrom::kLastKnown
                       : AnsweredFrom::kCache);
    done(std::move(known.tier));
  }

  void PostJoin(TierFlights::Caller caller) {
    Post([this, caller = std::move(caller)]() mutable {
      // The reply to another request may have come since the caller looked.
      const CachedTier known = cache_.Find(caller.user, parts_.clock.Elapsed());
      if (known.age != CachedTier::Age::kFresh) {
        flights_.Join(std::move(caller));
      } else if (caller.done && known.tier.has_value()) {
        caller.done(*known.tier);
      } else if (caller.done) {
        caller.done(absl::AbortedError("the source has just failed"));
      }
    });
  }

  SteadyDuration PatienceOf(absl::Time deadline) const {
    const absl::Duration half = (deadline - parts_.clock.Now()) / 2;
    return absl::ToChronoNanoseconds(
        std::clamp(half, absl::ZeroDuration(), spec_.timeout));
  }

  void Call(const std::string& url, ReplyDone done) {
    HttpGet get{.url = url, .ca_file = spec_.ca_file, .timeout = spec_.timeout};
    absl::StatusOr<std::string> header = HeaderLine(spec_);
    absl::Status unreadable;
    if (header.ok()) {
      get.header = *std::move(header);
    } else {
      unreadable = absl::UnavailableError(header.status().message());
      get.url.clear();  // It fails, and where the client is closing as well.
    }
    parts_.client.Get(
        get, [this, self = shared_from_this(), began = parts_.clock.Elapsed(),
              unreadable = std::move(unreadable),
              done = std::move(done)](absl::StatusOr<HttpReply> reply) mutable {
          metrics_.ObserveCall(parts_.clock.Elapsed() - began);
          if (!unreadable.ok() && !absl::IsCancelled(reply.status())) {
            reply = std::move(unreadable);
          }
          Read(reply, done);
        });
  }

  void Read(const absl::StatusOr<HttpReply>& reply, ReplyDone& done) {
    if (!reply.ok()) {
      Tell(absl::IsDeadlineExceeded(reply.status()) ? LookupResult::kTimeout
           : absl::IsResourceExhausted(reply.status())
               ? LookupResult::kTooLarge
               : LookupResult::kUnreachable,
           reply.status(), done);
    } else if (reply->status == 404) {
      Tell(LookupResult::kNotFound, "", done);
    } else if (reply->status != 200) {
      Tell(LookupResult::kHttpStatus,
           absl::UnavailableError(absl::StrCat("HTTP status ", reply->status)),
           done);
    } else if (Reply tier = ReadTierReply(reply->body); !tier.ok()) {
      Tell(LookupResult::kMalformed, std::move(tier), done);
    } else {
      const bool has_tier = !tier->empty();
      Tell(has_tier ? LookupResult::kOk : LookupResult::kNotFound,
           std::move(tier), done);
    }
  }

  void Tell(LookupResult result, Reply reply, ReplyDone& done) {
    metrics_.Count(result);
    if (!reply.ok() && !absl::IsCancelled(reply.status())) {
      log_.Warn(absl::StrCat("tier source of domain \"", domain_,
                             "\": ", reply.status().message()));
    }
    done(std::move(reply));
  }

  void Remember(const std::string& user, const Reply& reply) {
    const absl::Duration now = parts_.clock.Elapsed();
    if (reply.ok()) {
      cache_.PutTier(user, *reply, now);
    } else if (!absl::IsCancelled(reply.status())) {
      cache_.PutFailure(user, now);
    }
    metrics_.SetCached(cache_.size());
  }

  const HttpTierSourceParts parts_;
  const std::string domain_;
  const TierSourceSpec spec_;
  TierMetrics metrics_;
  LogThrottle log_;
  TierCache cache_;
  TierFlights flights_;  // of the loop's thread
};

}  // namespace

std::shared_ptr<TierSource> NewHttpTierSource(const HttpTierSourceParts& parts,
                                              const std::string& domain,
                                              const TierSourceSpec& spec) {
  return std::make_shared<HttpTierSource>(parts, domain, spec);
}

}  // namespace rls
