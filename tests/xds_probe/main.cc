// xds_probe SERVER PROTOCOL [CA CERTIFICATE KEY]: prints a line for each
// snapshot of the client, until its standard input ends:
//
//   VERSION<tab>DOMAIN=LIMIT,...<tab>ERROR;...
//
// LIMIT is the first limit of the domain. PROTOCOL is sotw or delta.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "xds/xds_client.h"

namespace {

const rls::Rule* FirstRule(const std::vector<rls::RuleNode>& nodes) {
  for (const rls::RuleNode& node : nodes) {
    if (node.rule.has_value()) return &*node.rule;
    if (const rls::Rule* rule = FirstRule(node.children)) return rule;
  }
  return nullptr;
}

void Print(const rls::XdsSnapshot& snapshot) {
  std::vector<std::string> domains;
  for (const rls::XdsDomain& domain : snapshot.domains) {
    const rls::Rule* const rule = FirstRule(domain.spec->nodes);
    domains.push_back(absl::StrCat(domain.spec->name, "=",
                                   rule == nullptr ? -1 : rule->policy.limit));
  }
  std::vector<std::string> errors;
  for (const rls::XdsError& error : snapshot.errors) {
    errors.push_back(error.ToString());
  }
  std::cout << snapshot.version << '\t' << absl::StrJoin(domains, ",") << '\t'
            << absl::StrJoin(errors, ";") << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  rls::XdsOptions options;
  if (argc != 3 && argc != 6) return 2;
  options.server = argv[1];
  options.node_id = "envoy-ratelimit";
  if (std::string(argv[2]) == "delta") {
    options.protocol = rls::XdsProtocol::kDelta;
  }
  if (argc == 6) {
    options.tls = {
        .ca_file = argv[3], .certificate_file = argv[4], .key_file = argv[5]};
  }
  const auto clock = rls::NewSystemClock();
  const auto metrics = rls::NewMetrics();
  const auto client = rls::NewXdsClient(options, Print, *metrics, *clock);
  if (!client.ok()) {
    std::cerr << client.status() << std::endl;
    return 1;
  }
  while (std::getchar() != EOF) {
  }
  return 0;
}
