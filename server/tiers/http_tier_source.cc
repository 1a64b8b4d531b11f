#include "tiers/http_tier_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "tiers/http_words.h"
#include "tiers/tier_cache.h"
#include "tiers/tier_flights.h"
#include "tiers/tier_metrics.h"

namespace rls {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(5);

class HttpTierSource final
    : public TierSource,
      public std::enable_shared_from_this<HttpTierSource> {
 public:
  HttpTierSource(const HttpTierSourceDependencies& dependencies,
                 const std::string& domain, const TierSourceSpec& spec)
      : dependencies_(dependencies),
        domain_(domain),
        spec_(spec),
        metrics_(dependencies.metrics, domain),
        log_(dependencies.clock, kLogInterval),
        cache_(spec_),
        flights_({.loop = dependencies.loop,
                  .clock = dependencies.clock,
                  .metrics = metrics_,
                  .max_concurrent = spec.max_concurrent,
                  .timeout = spec.timeout,
                  .fetch = [this](const std::string& url,
                                  auto done) { Fetch(url, std::move(done)); },
                  .landed =
                      [this](const std::string& user, const Result& result) {
                        Remember(user, result);
                      }}) {}

  void Lookup(absl::string_view user, absl::Time deadline,
              AnswerCallback done) override {
    CachedTier known = cache_.Find(user, dependencies_.clock.Elapsed());
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
    TierFlights::Lookup lookup{.user = std::string(user),
                               .url = *std::move(url)};
    if (known.age == CachedTier::Age::kAging || !spec_.wait) {
      PostJoin(std::move(lookup));
      AnswerKnown(std::move(known), done);
      return;
    }
    lookup.max_wait = MaxWait(deadline);
    lookup.done = [this, known = std::move(known),
                   done = std::move(done)](const Result& result) mutable {
      if (result.ok()) {
        metrics_.Count(AnsweredFrom::kSource);
        done(*result);
      } else {
        AnswerKnown(std::move(known), done);
      }
    };
    PostJoin(std::move(lookup));
  }

  void Refresh(absl::string_view user, RefreshCallback done) override {
    std::optional<std::string> url = UserUrl(spec_.url, user);
    if (!url.has_value()) {
      metrics_.Count(LookupResult::kRefused);
      done(absl::InvalidArgumentError(
          "such a user is never sent to the tier source"));
      return;
    }
    TierFlights::Lookup lookup{.user = std::string(user),
                               .url = *std::move(url)};
    // Time for the fetch that is under way, the wait in the queue, and the
    // fetch of this refresh.
    lookup.max_wait = absl::ToChronoNanoseconds(3 * spec_.timeout);
    lookup.done = [done = std::move(done)](const Result& result) mutable {
      done(absl::IsAborted(result.status())
               ? absl::UnavailableError(result.status().message())
               : result);
    };
    Post([this, lookup = std::move(lookup)]() mutable {
      flights_.JoinNext(std::move(lookup));
    });
  }

 private:
  using Result = TierFlights::Result;
  using FetchDone = absl::AnyInvocable<void(Result)>;

  // The task keeps the source alive, and so does a fetch that the task begins.
  template <typename Task>
  void Post(Task task) {
    dependencies_.loop.Post([self = shared_from_this(),
                             task = std::move(task)]() mutable { task(); });
  }

  void AnswerKnown(CachedTier known, AnswerCallback& done) {
    metrics_.Count(!known.tier.has_value() ? AnsweredFrom::kNowhere
                   : known.age == CachedTier::Age::kExpired
                       ? AnsweredFrom::kLastKnown
                       : AnsweredFrom::kCache);
    done(std::move(known.tier));
  }

  void PostJoin(TierFlights::Lookup lookup) {
    Post([this, lookup = std::move(lookup)]() mutable {
      // Another fetch may have landed since Lookup() looked into the cache.
      const CachedTier known =
          cache_.Find(lookup.user, dependencies_.clock.Elapsed());
      if (known.age != CachedTier::Age::kFresh) {
        flights_.Join(std::move(lookup));
      } else if (lookup.done && known.tier.has_value()) {
        lookup.done(*known.tier);
      } else if (lookup.done) {
        lookup.done(absl::AbortedError("the tier source has just failed"));
      }
    });
  }

  SteadyDuration MaxWait(absl::Time deadline) const {
    const absl::Duration half = (deadline - dependencies_.clock.Now()) / 2;
    return absl::ToChronoNanoseconds(
        std::clamp(half, absl::ZeroDuration(), spec_.timeout));
  }

  void Fetch(const std::string& url, FetchDone done) {
    HttpGet get{.url = url, .ca_file = spec_.ca_file, .timeout = spec_.timeout};
    absl::StatusOr<std::string> header = HeaderLine(spec_);
    absl::Status unreadable;
    if (header.ok()) {
      get.header = *std::move(header);
    } else {
      unreadable = absl::UnavailableError(header.status().message());
      // An empty URL fails later, on the loop, as `fetch` must. If the client
      // is closing, the status is CANCELLED.
      get.url.clear();
    }
    dependencies_.client.Get(
        get,
        [this, self = shared_from_this(), began = dependencies_.clock.Elapsed(),
         unreadable = std::move(unreadable), done = std::move(done)](
            absl::StatusOr<HttpResponse> response) mutable {
          metrics_.ObserveFetch(dependencies_.clock.Elapsed() - began);
          if (!unreadable.ok() && !absl::IsCancelled(response.status())) {
            response = std::move(unreadable);
          }
          Read(response, done);
        });
  }

  void Read(const absl::StatusOr<HttpResponse>& response, FetchDone& done) {
    if (!response.ok()) {
      End(absl::IsDeadlineExceeded(response.status()) ? LookupResult::kTimeout
          : absl::IsResourceExhausted(response.status())
              ? LookupResult::kTooLarge
              : LookupResult::kUnreachable,
          response.status(), done);
    } else if (response->status == 404) {
      End(LookupResult::kNotFound, "", done);
    } else if (response->status != 200) {
      End(LookupResult::kHttpStatus,
          absl::UnavailableError(
              absl::StrCat("HTTP status ", response->status)),
          done);
    } else if (Result tier = ReadTierBody(response->body); !tier.ok()) {
      End(LookupResult::kMalformed, std::move(tier), done);
    } else {
      const bool has_tier = !tier->empty();
      End(has_tier ? LookupResult::kOk : LookupResult::kNotFound,
          std::move(tier), done);
    }
  }

  void End(LookupResult counted_as, Result result, FetchDone& done) {
    metrics_.Count(counted_as);
    if (!result.ok() && !absl::IsCancelled(result.status())) {
      log_.Warn(absl::StrCat("tier source of domain \"", domain_,
                             "\": ", result.status().message()));
    }
    done(std::move(result));
  }

  void Remember(const std::string& user, const Result& result) {
    const absl::Duration now = dependencies_.clock.Elapsed();
    if (result.ok()) {
      cache_.PutTier(user, *result, now);
    } else if (!absl::IsCancelled(result.status())) {
      cache_.PutFailure(user, now);
    }
    metrics_.SetCached(cache_.size());
  }

  const HttpTierSourceDependencies dependencies_;
  const std::string domain_;
  const TierSourceSpec spec_;
  TierMetrics metrics_;
  LogThrottle log_;
  TierCache cache_;
  TierFlights flights_;  // the loop's thread only, except is_paused()
};

}  // namespace

std::shared_ptr<TierSource> NewHttpTierSource(
    const HttpTierSourceDependencies& dependencies, const std::string& domain,
    const TierSourceSpec& spec) {
  return std::make_shared<HttpTierSource>(dependencies, domain, spec);
}

}  // namespace rls
