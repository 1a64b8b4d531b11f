#include "app/xds_rules.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "config/reload.h"
#include "rules/domain.h"

namespace rls {
namespace {

// All methods run on the client's thread.
class XdsRulesImpl final : public XdsRules {
 public:
  XdsRulesImpl(RuleBookHolder& rules, Metrics& metrics, const Clock& clock)
      : rules_(rules),
        metrics_(metrics),
        clock_(clock),
        loads_(metrics),
        books_(rules) {}

  absl::Status Start(const XdsOptions& options) {
    origin_.source = "xds";
    origin_.places = {options.server};
    auto book = std::make_shared<RuleBook>();
    book->origin = origin_;
    rules_.Set(std::move(book));
    auto client = NewXdsClient(
        options, [this](const XdsSnapshot& snapshot) { Apply(snapshot); },
        metrics_, clock_);
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    return absl::OkStatus();
  }

 private:
  struct Compiled {
    std::string digest;
    std::shared_ptr<const Domain> domain;
  };

  // A domain that does not compile keeps its former rules.
  void Apply(const XdsSnapshot& snapshot) {
    absl::flat_hash_map<std::string, Compiled> domains;
    std::vector<std::string> digests;
    bool is_good = snapshot.errors.empty();
    absl::flat_hash_set<absl::string_view> bad;  // resources
    for (const XdsError& error : snapshot.errors) bad.insert(error.resource);
    origin_.domains.clear();
    for (const XdsDomain& received : snapshot.domains) {
      const std::string& name = received.spec->name;
      const auto known = domains_.find(name);
      const bool is_new =
          known == domains_.end() || known->second.digest != received.digest;
      Compiled compiled;
      if (!is_new) {
        compiled = known->second;
      } else if (auto domain = CompileDomain(*received.spec, metrics_);
                 domain.ok()) {
        compiled = {received.digest, *std::move(domain)};
      } else {
        is_good = false;
        bad.insert(received.resource);
        LogError(absl::StrCat("resource \"", received.resource,
                              "\": ", domain.status().message()));
        if (known == domains_.end()) continue;
        compiled = known->second;
      }
      origin_.domains[name] = {
          {received.resource, compiled.digest,
           bad.contains(received.resource) ? "bad" : "good"}};
      digests.push_back(compiled.digest);
      domains.emplace(name, std::move(compiled));
    }
    domains_ = std::move(domains);
    origin_.version = snapshot.version;
    origin_.hash = ContentHash(digests);
    origin_.loaded = clock_.Now();
    Publish();
    loads_.SetActive(origin_.hash);
    if (is_good) {
      loads_.Succeeded(clock_.Now());
    } else {
      loads_.Failed();
    }
  }

  void Publish() {
    auto book = std::make_shared<RuleBook>();
    book->loaded = true;
    book->origin = origin_;
    for (const auto& [name, compiled] : domains_) {
      book->domains.emplace(name, compiled.domain);
    }
    loads_.SetDomains(book->domains.size());
    books_.Publish(std::move(book));
  }

  RuleBookHolder& rules_;
  Metrics& metrics_;
  const Clock& clock_;
  LoadMetrics loads_;
  absl::flat_hash_map<std::string, Compiled> domains_;  // by name
  RuleOrigin origin_;                                   // of the book in force
  BookPublisher books_;
  std::unique_ptr<XdsClient> client_;  // the last member: it ends first
};

}  // namespace

absl::StatusOr<std::unique_ptr<XdsRules>> NewXdsRules(const XdsOptions& options,
                                                      RuleBookHolder& rules,
                                                      Metrics& metrics,
                                                      const Clock& clock) {
  auto made = std::make_unique<XdsRulesImpl>(rules, metrics, clock);
  if (absl::Status started = made->Start(options); !started.ok()) {
    return started;
  }
  return made;
}

}  // namespace rls
