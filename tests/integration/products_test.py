"""The server as Envoy Gateway, Envoy AI Gateway and Istio start it: the name of
the program, the environment, the files and the user are theirs. A real Envoy
asks with the descriptors that they make."""

import pathlib
import unittest

import yaml

import harness
import products
from certificates import Certificates
from redis_harness import Redis
from xds_test import Server as XdsServer

ROUTE = "httproute/default/shop/rule/0/match/0/*_example_com"
DOMAIN = "default/eg/http"


def limit(number, unit="DAY"):
    return {"rateLimit": {"unit": unit, "requestsPerUnit": number}}


def node(key, value=None, *descriptors, **more):
    return {"key": key, **({} if value is None else {"value": value}),
            "descriptors": list(descriptors), **more}


# One rule for each shape of descriptor that Envoy Gateway makes. Each route has
# the name of its rule.
RULES = {"name": DOMAIN, "domain": DOMAIN, "descriptors": [
    node(f"{ROUTE}/all", f"{ROUTE}/all",
         node("rule-0-match--1", "rule-0-match--1", **limit(1))),
    node(f"{ROUTE}/header", f"{ROUTE}/header",
         node("rule-0-match-0", "rule-0-match-0",
              node("rule-0-match-1", None, **limit(1)))),
    node(f"{ROUTE}/address", f"{ROUTE}/address",
         node("masked_remote_address", "127.0.0.0/8",
              node("remote_address", None, **limit(1)))),
    node(f"{ROUTE}/outside", f"{ROUTE}/outside",
         node("masked_remote_address", "invert:10.0.0.0/8", **limit(1))),
    node(f"{ROUTE}/cost", f"{ROUTE}/cost",
         node("rule-0-match--1", "rule-0-match--1", **limit(10))),
    node(f"{ROUTE}/blocked", f"{ROUTE}/blocked",
         node("rule-0-match--1", "rule-0-match--1", **limit(0))),
]}

COST = """
- name: envoy.filters.http.header_to_metadata
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config
    request_rules:
      - {header: x-cost, on_header_present: {metadata_namespace: io.envoy.ai_gateway, key: llm_total_token, type: NUMBER}}
      - {header: x-backend, on_header_present: {metadata_namespace: io.envoy.ai_gateway, key: backend_name}}
      - {header: x-model, on_header_present: {metadata_namespace: io.envoy.ai_gateway, key: model_name_override}}
"""
ROUTER = """
- name: envoy.filters.http.router
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"""


def filters(domain, **more):
    return COST + yaml.safe_dump([{
        "name": "envoy.filters.http.ratelimit", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http."
                     "ratelimit.v3.RateLimit",
            "domain": domain, "timeout": "0.02s",
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
            "rate_limit_service": {
                "transport_api_version": "V3", "grpc_service": {
                    "envoy_grpc": {"cluster_name": "ratelimitd"}}},
            **more}}]) + ROUTER


def route(path, domain, *limits):
    return {"match": {"path": path}, "route": {"cluster": "upstream"},
            "typed_per_filter_config": {"envoy.filters.http.ratelimit": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http."
                         "ratelimit.v3.RateLimitPerRoute",
                "domain": domain, "rate_limits": list(limits)}}}


def generic(key, value=None):
    return {"generic_key": {"descriptor_key": key,
                            "descriptor_value": value or key}}


def remote_address(value, address, **more):
    return {"remote_address_match": {
        "descriptor_key": "masked_remote_address", "descriptor_value": value,
        "address_matcher": {"ranges": [
            {"address_prefix": address, "prefix_len": 8}], **more}}}


def report(*actions):
    """The call after the response, with its cost."""
    return {"actions": list(actions), "apply_on_stream_done": True,
            "hits_addend": {
                "format": "%DYNAMIC_METADATA(io.envoy.ai_gateway:"
                          "llm_total_token)%"}}


def envoy_gateway_routes():
    def one(name, *actions, **more):
        return route(f"/{name}", DOMAIN, {
            "actions": [generic(f"{ROUTE}/{name}"), *actions], **more})
    everything = generic("rule-0-match--1")
    cost = one("cost", everything, hits_addend={"number": 0})
    cost["typed_per_filter_config"]["envoy.filters.http.ratelimit"][
        "rate_limits"].append(report(generic(f"{ROUTE}/cost"), everything))
    return [
        one("all", everything),
        one("header", {"header_value_match": {
            "descriptor_key": "rule-0-match-0",
            "descriptor_value": "rule-0-match-0", "expect_match": True,
            "headers": [{"name": "x-org",
                         "string_match": {"exact": "one"}}]}},
            {"request_headers": {"header_name": "x-user",
                                 "descriptor_key": "rule-0-match-1"}}),
        one("address", remote_address("127.0.0.0/8", "127.0.0.0"),
            {"remote_address": {}}),
        one("outside", remote_address("invert:10.0.0.0/8", "10.0.0.0",
                                      invert_match=True)),
        cost, one("blocked", everything)]


class Case(products.ProductTest):
    def setUp(self):
        super().setUp()
        self.redis = Redis(self.folder / "redis")
        self.addCleanup(self.redis.stop)
        self.redis_url = f"127.0.0.1:{self.redis.port}"  # without scheme

    def statuses(self, path, *headers, count=2):
        return [harness.send_request(self.envoy.port, *headers, method="GET",
                                     path=path).status for _ in range(count)]

    def serve_xds(self, *files):
        server = XdsServer(files=files)
        self.addCleanup(server.stop)
        return server


class EnvoyGatewayTest(Case):
    def setUp(self):
        super().setUp()
        authority = Certificates(self.folder, "eg")
        xds = authority.issue("xds", "DNS:envoy-gateway,IP:127.0.0.1")
        own = authority.issue("ratelimit", "DNS:*.envoy-gateway-system")
        envoy = authority.issue("envoy", "DNS:*.envoy-gateway-system")
        self.certs = self.folder / "certs"
        products.mount(self.certs, {
            name: pathlib.Path(source).read_bytes() for name, source in
            (("tls.crt", own[0]), ("tls.key", own[1]),
             ("ca.crt", authority.ca))})
        self.xds = self.serve_xds(authority.ca, *xds)
        context = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
        self.socket = {
            "name": "envoy.transport_sockets.tls", "typed_config": {
                "@type": f"type.googleapis.com/{context}",
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": {"filename": str(envoy[0])},
                        "private_key": {"filename": str(envoy[1])}}],
                    "validation_context": {"trusted_ca": {
                        "filename": str(self.certs / "ca.crt")}}}}}

    def start(self, **more):
        environment = {
            name: value.replace("/certs/", f"{self.certs}/")
            for name, value in products.ENVOY_GATEWAY.items()}
        environment.update({
            "CONFIG_GRPC_XDS_SERVER_URL": f"127.0.0.1:{self.xds.port}",
            "REDIS_URL": self.redis_url,
            # Kubernetes adds such variables for a service named redis.
            "REDIS_PORT": "tcp://10.0.0.1:6379", **more})
        self.server = self.start_product(environment)
        self.envoy = self.start_gateway(self.server, products.gateway(
            filters(DOMAIN), yaml.safe_dump(envoy_gateway_routes()),
            self.socket))

    def wait_for_rules(self):
        harness.wait_for("the rules", lambda: DOMAIN in self.server.get(
            "/rlconfig", self.server.debug)[1])

    def test_each_shape_of_a_rule(self):
        self.start()
        # Before the first configuration the pod is healthy. Requests pass.
        self.assertEqual(self.server.get("/healthcheck")[0], 200)
        self.assertEqual(self.statuses("/blocked"), [200, 200])
        self.xds.set(1, RULES)
        self.wait_for_rules()
        self.assertEqual(self.statuses("/all"), [200, 429])
        one = ("x-org", "one")
        for user in ("ann", "bob"):
            self.assertEqual(self.statuses("/header", one, ("x-user", user)),
                             [200, 429])
        self.assertEqual(self.statuses("/header", ("x-user", "ann")),
                         [200, 200])
        self.assertEqual(self.statuses("/address"), [200, 429])
        self.assertEqual(self.statuses("/outside"), [200, 429])
        self.assertEqual(self.statuses("/blocked"), [429, 429])
        # The last policy is deleted.
        self.xds.empty()
        harness.wait_for("the end of the rules", lambda: self.statuses(
            "/blocked", count=1) == [200])

    def test_a_cost_after_the_response_counts_in_full(self):
        self.start()
        self.xds.set(1, RULES)
        self.wait_for_rules()
        # The call before the request has no cost: it looks.
        self.assertEqual(self.statuses("/cost", ("x-cost", "0"), count=3),
                         [200] * 3)
        answer = harness.send_request(self.envoy.port, ("x-cost", "25"),
                                      method="GET", path="/cost")
        self.assertEqual((answer.status,
                          answer.headers["x-ratelimit-remaining"]),
                         (200, "10"))
        harness.wait_for("the report", lambda: self.statuses(
            "/cost", ("x-cost", "0"), count=1) == [429])
        counts = [int(value) for value, _ in self.redis.keys().values()
                  if value and value.isdigit()]
        self.assertEqual(counts, [25])

    def test_redis_over_tls_with_a_client_certificate(self):
        authority = Certificates(self.folder, "redis")
        server = authority.issue("server", "IP:127.0.0.1")
        client = authority.issue("client", "DNS:ratelimit")
        port = str(harness.free_port())
        redis = Redis(self.folder / "secure", "--tls-port", port,
                      "--tls-ca-cert-file", authority.ca, "--tls-cert-file",
                      server[0], "--tls-key-file", server[1])
        self.addCleanup(redis.stop)
        mounted = self.folder / "redis-certs"
        products.mount(mounted, {
            name: pathlib.Path(source).read_bytes()
            for name, source in zip(("tls.crt", "tls.key"), client)})
        self.start(REDIS_URL=f"127.0.0.1:{port}", **{
            name: value.replace("/redis-certs/", f"{mounted}/") for
            name, value in products.ENVOY_GATEWAY_REDIS_TLS.items()},
            # Stands for the authorities of the system.
            SSL_CERT_FILE=str(authority.ca))
        self.xds.set(1, RULES)
        self.wait_for_rules()
        self.assertEqual(self.statuses("/all"), [200, 429])
        self.assertEqual(len(redis.keys()), 1)

    def test_it_writes_nothing_and_needs_no_user_of_its_own(self):
        self.start()
        if not products.can_be_a_pod():
            return  # start_product() has said so
        process = pathlib.Path(f"/proc/{self.server.process.pid}")
        self.assertIn("CapEff:\t0000000000000000\n",
                      (process / "status").read_text())
        for mount in (process / "mountinfo").read_text().splitlines():
            self.assertEqual(mount.split()[5].split(",")[0], "ro", mount)

    def test_the_log_names_what_has_no_effect(self):
        self.start()
        log = self.server.log()
        self.assertEqual(log.count("GRPC_SERVER_TLS_CA_CERT has no effect"), 1)
        self.assertEqual(log.count("set DEBUG_HOST"), 1)
        self.assertNotIn("ratelimit: argument", log)
        # Not taken for a setting.
        self.assertNotIn("REDIS_PORT", log)


BACKEND, MODEL = "default/openai", "gpt-4"
QUOTA = "ai-gateway-quota"
TEAM, DEFAULT = "rule-0-header-match-0", "rule-1-default"
QUOTAS = {"name": QUOTA, "domain": QUOTA, "descriptors": [
    node("backend_name", BACKEND, node(
        "model_name_override", MODEL,
        node(TEAM, TEAM, quotaMode=True, **limit(1)),
        node(DEFAULT, DEFAULT, quotaMode=True, **limit(3))))]}


def ai_gateway_routes():
    def metadata(key):
        return {"metadata": {
            "descriptor_key": key, "source": "DYNAMIC", "metadata_key": {
                "key": "io.envoy.ai_gateway", "path": [{"key": key}]}}}
    base = [metadata("backend_name"), metadata("model_name_override")]
    team = {"header_value_match": {
        "descriptor_key": TEAM, "descriptor_value": TEAM,
        "headers": [{"name": "x-team", "string_match": {"exact": "a"}}]}}
    limits = []
    # The first has no limit.
    for actions in (base, [*base, team], [*base, generic(DEFAULT)]):
        limits += [{"actions": actions}, report(*actions)]
    return [route("/v1/chat", QUOTA, *limits)]


class AiGatewayTest(Case):
    def start(self, environment):
        self.xds = self.serve_xds()
        self.xds.set(1, QUOTAS)
        self.server = self.start_product(
            {**environment, "REDIS_URL": self.redis_url,
             "CONFIG_GRPC_XDS_SERVER_URL": f"127.0.0.1:{self.xds.port}"},
            products.AI_GATEWAY_ARGUMENT)
        self.envoy = self.start_gateway(self.server, products.gateway(
            filters(QUOTA, timeout="5s", failure_mode_deny=False,
                    disable_x_envoy_ratelimited_header=True),
            yaml.safe_dump(ai_gateway_routes())))
        harness.wait_for("the rules", lambda: QUOTA in self.server.get(
            "/rlconfig", self.server.debug)[1])

    def call(self, *headers, count=1):
        return self.statuses("/v1/chat", ("x-backend", BACKEND),
                             ("x-model", MODEL), *headers, count=count)

    def check_quotas(self):
        # A request is refused when all its quotas are used up: the one of the
        # team after 1 call, the other one after 3. The descriptor without a
        # limit is no quota.
        team, free = ("x-team", "a"), ("x-cost", "0")
        self.assertEqual(self.call(team, free, count=4), [200, 200, 200, 429])
        self.assertEqual(self.call(free), [429])

    def test_the_manifest_of_its_tests(self):
        self.start(products.AI_GATEWAY)
        self.assertIn(f'argument "{products.AI_GATEWAY_ARGUMENT}" is ignored',
                      self.server.log())
        self.check_quotas()

    def test_our_deployment(self):
        spec = yaml.safe_load((
            harness.ROOT / "deploy/envoy-ai-gateway/deployment.yaml"
            ).read_text())["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(spec["command"], ["/bin/ratelimit"])
        environment = {item["name"]: item["value"] for item in spec["env"]}
        # What the controller demands is as in the manifest of its tests.
        for name in ("CONFIG_TYPE", "CONFIG_GRPC_XDS_NODE_ID",
                     "CONFIG_GRPC_XDS_SERVER_URL"):
            self.assertEqual(environment[name], products.AI_GATEWAY[name])
        self.start(environment)
        self.check_quotas()

    def test_a_report_uses_the_quota_up(self):
        self.start(products.AI_GATEWAY)
        self.assertEqual(self.call(("x-cost", "100")), [200])
        harness.wait_for("the report", lambda:
                         self.call(("x-cost", "0")) == [429])


class IstioTest(Case):
    RULES = {"domain": "productpage-ratelimit", "descriptors": [
        {"key": "PATH", "value": "/productpage",
         "rate_limit": {"unit": "day", "requests_per_unit": 1}},
        {"key": "PATH", "rate_limit": {"unit": "day",
                                       "requests_per_unit": 3}}]}

    def test_the_sample(self):
        mount = self.folder / "data/ratelimit/config"
        products.mount(mount, {
            "config.yaml": yaml.safe_dump(self.RULES).encode()})
        self.server = self.start_product(
            {**products.ISTIO, "RUNTIME_ROOT": str(self.folder / "data"),
             "REDIS_URL": self.redis_url})
        path = {"actions": [{"request_headers": {
            "header_name": ":path", "descriptor_key": "PATH"}}]}
        self.envoy = self.start_gateway(self.server, products.gateway(
            filters("productpage-ratelimit", failure_mode_deny=True),
            yaml.safe_dump([{"match": {"prefix": "/"}, "route": {
                "cluster": "upstream", "rate_limits": [path]}}])))
        self.assertEqual(self.statuses("/productpage"), [200, 429])
        self.assertEqual(self.statuses("/other", count=4),
                         [200, 200, 200, 429])
        # The kubelet replaces the files of the ConfigMap at once.
        rules = {**self.RULES, "descriptors": self.RULES["descriptors"][1:]}
        products.mount(mount, {"config.yaml": yaml.safe_dump(rules).encode()})
        harness.wait_for("the new rules", lambda: self.statuses(
            "/productpage", count=1) == [200])


if __name__ == "__main__":
    unittest.main()
