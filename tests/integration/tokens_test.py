"""Limits of tokens: the real Envoy with deploy/envoy/tokens.yaml. Envoy
reserves the estimated tokens of a request and reports the usage of its
response."""

import gzip
import json
import socket
import threading
import unittest

import harness
from degrade_test import load, manager
from redis_harness import Redis, metric, wait_until_ready

FREE = ("Authorization", "Bearer user-123")
JSON = ("Content-Type", "application/json")
CALLS = 'ratelimitd_requests_total{grpc_code="OK"}'
TOKENS = 1000
# A day: no test sees two windows, except at midnight UTC.
CONFIG = """
rate_limit:
  default_rps: 10
  user_tiers:
    free:
      RESERVE
      limits: [{requests: 1000000, per: 24h}, {tokens: 1000, per: 24h}]
  user_assignments:
    user-123: {tier: free}
"""
RESERVING = CONFIG.replace("RESERVE", "reserve: estimated")
REPORTING = CONFIG.replace("RESERVE", "on_backend_error: error")


def asking(max_tokens):
    return json.dumps({"model": "gpt-4", "max_tokens": max_tokens}).encode()


def using(tokens):
    return json.dumps({"choices": [], "usage": {"prompt_tokens": 1,
                                                "total_tokens": tokens}})


class TokensCase(harness.ProcessTest):
    def start(self, config=RESERVING, environment=None, replicas=1,
              limits=None):
        """Starts the replicas and an Envoy. `limits` replaces the rate_limits
        of tokens.yaml."""
        path = self.write("config.yaml", config)
        self.servers = [self.start_server("--config", path,
                                          environment=environment)
                        for _ in range(replicas)]
        ports = [int(server.grpc.rsplit(":", 1)[1]) for server in self.servers]

        def change(config):
            harness.allow_slow_answers(config)
            host = manager(config)["route_config"]["virtual_hosts"][0]
            per_route = host["typed_per_filter_config"]
            if limits is not None:
                per_route["envoy.filters.http.ratelimit"]["rate_limits"] = limits
            cluster = config["static_resources"]["clusters"][0]
            self.assertEqual(cluster["name"], "ratelimitd")
            group = cluster["load_assignment"]["endpoints"][0]
            group["lb_endpoints"] = [
                {"endpoint": {"address": {"socket_address": {
                    "address": "127.0.0.1", "port_value": port}}}}
                for port in ports]

        self.envoy = self.start_envoy(self.servers[0], change=change,
                                      name="tokens.yaml")
        self.calls = 0

    def call(self, max_tokens, *headers, usage=None, reports=True, body=None):
        """The status of one request, after the answer to its report."""
        if usage is not None:
            self.upstream.body = using(usage).encode()
        if body is None:
            body = b"{}" if max_tokens is None else asking(max_tokens)
        answer = harness.send_request(self.envoy.port, FREE, JSON, *headers,
                                      body=body)
        self.calls += 2 if reports else 1
        harness.wait_for("the report", lambda: metric(
            self.servers, CALLS) == self.calls)
        return answer.status

    def left(self):
        """The remaining tokens, by a request that charges no units."""
        status, answer = self.servers[0].ask(
            ("authorization", "Bearer user-123"), hitsAddend="0")
        self.assertIn(status, (200, 429), answer)
        return json.loads(answer)["statuses"][0].get("limitRemaining", 0)


class ReserveTest(TokensCase):
    def test_the_usage_makes_the_estimate_good(self):
        self.start()
        self.assertEqual(self.call(900, usage=250), 200)
        self.assertEqual(self.left(), TOKENS - 250)
        self.assertEqual(self.call(100, usage=300), 200)
        self.assertEqual(self.left(), TOKENS - 550)

    def test_a_request_whose_estimate_does_not_fit_is_refused(self):
        self.start()
        self.assertEqual(self.call(1001), 429)
        self.assertEqual(self.left(), TOKENS)
        self.assertEqual(self.call(600, usage=600), 200)
        # Envoy sends its report too. The report returns no tokens.
        for _ in range(3):
            self.assertEqual(self.call(401), 429)
            self.assertEqual(self.left(), 400)
        self.assertEqual(self.call(400, usage=400), 200)
        self.assertEqual(self.call(None), 429)
        self.assertEqual(len(self.upstream.seen), 2)

    def test_of_a_request_without_an_estimate_the_usage_is_all(self):
        self.start()
        for body in (b"{}", b"", b'{"max_tokens": "many"}',
                     b'{"max_tokens": -5}', b'{"max_tokens": [1]}',
                     b'{"max_tokens": null}', b"no JSON"):
            before = self.left()
            self.assertEqual(self.call(None, usage=10, body=body), 200, body)
            self.assertEqual(self.left(), before - 10, body)

    def test_an_answer_without_usage_has_cost_nothing(self):
        self.start()
        self.upstream.status = 500
        for body in (b'{"error": {}}', b"", b"[]", b'{"usage": null}'):
            self.upstream.body = body
            self.assertEqual(self.call(900), 500, body)
            self.assertEqual(self.left(), TOKENS, body)

    def test_an_answer_that_cannot_be_read_costs_its_estimate(self):
        self.start()
        answers = (("text/plain", b"Hi"), ("", b"Hi"),
                   ("application/json", gzip.compress(using(1).encode())),
                   ("application/json", using(1).encode()[:-1]),
                   ("text/event-stream", gzip.compress(using(1).encode())),
                   ("text/event-stream", b"data: [DONE]\n\n"))
        for number, (kind, body) in enumerate(answers, 1):
            self.upstream.content_type, self.upstream.body = kind, body
            self.assertEqual(self.call(10, reports=False), 200, body)
            self.assertEqual(self.left(), TOKENS - 10 * number, (kind, body))

    def test_an_answer_that_its_client_cuts_off_costs_its_estimate(self):
        self.start()
        self.upstream.content_type = "text/event-stream"
        self.upstream.body = f"data: {using(1)}\n\n".encode()
        gone = threading.Event()
        self.upstream.halfway = lambda: gone.wait(harness.PATIENCE_S)
        body = asking(600)
        with socket.create_connection(("127.0.0.1", self.envoy.port),
                                      harness.PATIENCE_S) as client:
            client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{': '.join(FREE)}"
                           f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                           + body)
            self.assertIn(b" 200 ", client.makefile("rb").readline())
        harness.wait_for("the end of the request",
                         lambda: self.envoy.asking("upstream") == 0)
        self.upstream.halfway = lambda: None
        self.upstream.content_type = "application/json"
        gone.set()
        self.calls = 1
        self.assertEqual(self.call(10, usage=1), 200)
        self.assertEqual(self.left(), TOKENS - 600 - 1)

    def test_a_stream_of_events_tells_its_usage_last(self):
        self.start()
        self.upstream.content_type = "text/event-stream"
        self.upstream.body = (
            'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
            f"data: {using(10)}\n\ndata: {using(70)}\n\n"
            "data: [DONE]\n\n").encode()
        self.assertEqual(self.call(900), 200)
        self.assertEqual(self.left(), TOKENS - 70)

    def test_no_client_can_choose_the_id_of_his_request(self):
        self.start()
        self.upstream.content_type = "text/plain"
        for _ in range(3):  # none is settled
            self.assertEqual(self.call(100, ("X-Request-Id", "mine"),
                                       reports=False), 200)
        self.assertEqual(self.left(), TOKENS - 300)

    def test_no_header_tells_of_tokens(self):
        self.start()
        spoofed = (("tokens", "1"), ("usage", "report"), ("X-Tokens", "1"),
                   ("request_id", "mine"), ("Request-Id", "mine"))
        self.assertEqual(self.call(600, *spoofed, usage=500), 200)
        self.assertEqual(self.left(), 500)

    def test_any_replica_settles(self):
        redis = Redis(self.folder / "redis")
        self.addCleanup(redis.stop)
        self.start(environment={"REDIS_URL": redis.url, "REDIS_TIMEOUT": "10s"},
                   replicas=2)
        for server in self.servers:
            wait_until_ready(server)
        for number in range(1, 11):
            self.assertEqual(self.call(500, usage=10), 200)
            self.assertEqual(self.left(), TOKENS - 10 * number)
        for server in self.servers:
            self.assertGreater(metric([server], CALLS), 0)


class ReportTest(TokensCase):
    def test_usage_is_charged_past_the_limit_and_takes_no_request(self):
        self.start(REPORTING.replace("requests: 1000000", "requests: 3"))
        self.assertEqual(self.call(None, usage=900), 200)
        self.assertEqual(self.call(None, usage=900), 200)
        self.assertEqual(self.left(), 0)
        self.assertEqual(self.call(None), 429)
        self.assertEqual(metric(self.servers, 'ratelimitd_hits_total{domain='
                                '"default",result="ok",rule="tier free '
                                'tokens/24h"}'), 1800)
        self.assertEqual(metric(self.servers, 'ratelimitd_hits_total{domain='
                                '"default",result="ok",rule="tier free '
                                'requests/24h"}'), 2)

    def test_the_refusal_says_what_is_used_up(self):
        self.start(REPORTING)
        self.call(None, usage=1000)
        answer = harness.send_request(self.envoy.port, FREE, body=b"{}")
        self.assertEqual(answer.status, 429)
        self.assertEqual(json.loads(answer.body)["message"],
                         "Rate limit exceeded. Free tier: 1000 tokens/day")
        self.assertEqual(answer.headers["x-ratelimit-limit"],
                         '1000, 1000;w=86400;name="tokens"')
        self.assertEqual(answer.headers["x-ratelimit-remaining"], "0")


# A budget of tokens in a descriptor file, as Envoy Gateway configures Envoy: the
# request only looks, and the response reports its cost with the same entries.
BUDGET = """
domain: default
descriptors:
  - key: authorization
    rate_limit: {unit: day, requests_per_unit: 1000}
"""
USER = [{"request_headers": {"header_name": "authorization",
                             "descriptor_key": "authorization"}}]
BUDGET_LIMITS = [
    {"actions": USER, "hits_addend": {"number": 0}},
    {"actions": USER, "apply_on_stream_done": True,
     "hits_addend": {"format": "%DYNAMIC_METADATA(response:total_tokens)%"}}]


class BudgetTest(TokensCase):
    def test_usage_past_the_limit_counts_and_the_next_request_is_refused(self):
        self.start(BUDGET, limits=BUDGET_LIMITS)
        self.assertEqual(self.call(None, usage=990), 200)
        self.assertEqual(self.left(), 10)
        self.assertEqual(self.call(None, usage=700), 200)
        for _ in range(3):
            self.assertEqual(self.call(None, reports=False), 429)
        self.assertEqual(len(self.upstream.seen), 2)

    def test_two_replicas_share_the_budget(self):
        redis = Redis(self.folder / "redis")
        self.addCleanup(redis.stop)
        self.start(BUDGET, environment={"REDIS_URL": redis.url,
                                        "REDIS_TIMEOUT": "10s"},
                   replicas=2, limits=BUDGET_LIMITS)
        for server in self.servers:
            wait_until_ready(server)
        self.assertEqual(self.call(None, usage=1500), 200)
        for _ in range(4):
            self.assertEqual(self.call(None, reports=False), 429)
        self.assertEqual(len(self.upstream.seen), 1)


class ConfigurationTest(unittest.TestCase):
    def test_all_else_is_that_of_envoy_yaml(self):
        plain, tokens = load("envoy.yaml"), load("tokens.yaml")
        host = manager(tokens)["route_config"]["virtual_hosts"][0]
        limits = host.pop("typed_per_filter_config")[
            "envoy.filters.http.ratelimit"]["rate_limits"]
        asked = manager(plain)["route_config"]["virtual_hosts"][0][
            "rate_limits"][0]["actions"]
        report = limits.pop()
        self.assertTrue(report["apply_on_stream_done"])
        for actions in (limits[0]["actions"], report["actions"]):
            self.assertEqual(actions[:2], asked)
            self.assertEqual(actions[2]["request_headers"]["header_name"],
                             "x-request-id")
            del actions[2:]
        host["rate_limits"] = limits
        filters = manager(tokens)["http_filters"]
        self.assertEqual([entry["name"].rsplit(".", 1)[1] for entry in filters],
                         ["buffer", "json_to_metadata", "sse_to_metadata",
                          "ratelimit", "router"])
        filters[:] = filters[3:]
        self.assertEqual(tokens, plain)


if __name__ == "__main__":
    unittest.main()
