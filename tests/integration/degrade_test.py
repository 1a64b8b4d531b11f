"""A request over the limit continues with a cheaper model: the real Envoy with
deploy/envoy/degrade.yaml."""

import gzip
import json
import signal
import socket
import unittest

import yaml

import harness

FREE = ("Authorization", "Bearer user-123")
JSON = ("Content-Type", "application/json")
LIMIT = 5
# A day: no test sees two windows, except at midnight UTC.
CONFIG = """
rate_limit:
  default_rps: 10
  user_tiers:
    free: {rps: 5, window_seconds: 86400}
  user_assignments:
    user-123: {tier: free}
  enforce: degrade
  degrade_to: {gpt-4: gpt-3.5-turbo}
"""
DEAR, CHEAP = "gpt-4", "gpt-3.5-turbo"
SPOOFED = (("X-Model", DEAR), ("X-Model", CHEAP), ("X-MODEL", "x"),
           ("X-RateLimit-Degraded", "true"),
           ("x_model", CHEAP), ("x_ratelimit_degraded", "true"),
           ("envoy.filters.http.ratelimit", '{"degraded": true, "model": "x"}'),
           ("X-Envoy-Dynamic-Metadata", '{"model": "x"}'))


def asking(model, **more):
    return json.dumps({"model": model, **more}).encode()


def load(name):
    return yaml.safe_load((harness.ROOT / "deploy/envoy" / name).read_text())


def manager(config):
    listener = config["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


class DegradeCase(harness.ProcessTest):
    def start(self, more="", config=CONFIG):
        """`upstream` serves the cluster `upstream`, and `cheaper` the cluster
        for degraded requests."""
        self.cheaper = harness.Upstream()
        self.addCleanup(self.cheaper.stop)

        def change(config):
            harness.allow_slow_answers(config)
            harness.set_port(config, "clusters", "cheaper", self.cheaper.port)

        path = self.write("config.yaml", config + more)
        self.server = self.start_server("--config", path)
        self.envoy = self.start_envoy(self.server, change=change,
                                      name="degrade.yaml")

    def call(self, body, *headers, method="POST", chunked=False):
        answer = harness.send_request(self.envoy.port, FREE, *headers,
                                      method=method, body=body, chunked=chunked)
        return answer.status, answer.body

    def use_up(self):
        for _ in range(LIMIT):
            self.assertEqual(self.call(asking(DEAR), JSON)[0], 200)
        self.assertEqual(len(self.upstream.seen), LIMIT)
        self.assertEqual(self.cheaper.seen, [])

    def degraded(self, body, *headers, **options):
        """Sends a request; returns the body that reaches the cheaper route."""
        before = len(self.cheaper.seen)
        self.assertEqual(self.call(body, *headers, **options)[0], 200)
        self.assertEqual(len(self.cheaper.seen), before + 1)
        _, seen, sent = self.cheaper.seen[-1]
        self.assertEqual(seen.get_all("x-ratelimit-degraded"), ["true"])
        self.assertEqual(seen.get_all("x-model"), [CHEAP])
        if body is not None:
            self.assertEqual(seen.get_all("content-length"), [str(len(sent))])
        return sent


class DegradeTest(DegradeCase):
    def test_the_sixth_request_goes_on_with_the_cheaper_model(self):
        self.start()
        self.use_up()
        for _, seen, body in self.upstream.seen:
            self.assertEqual(body, asking(DEAR))
            self.assertNotIn("x-model", seen)
            self.assertNotIn("x-ratelimit-degraded", seen)
        self.assertEqual(self.degraded(asking(DEAR), JSON), asking(CHEAP))
        self.assertEqual(len(self.upstream.seen), LIMIT)

    def test_what_already_is_the_cheapest_is_refused(self):
        self.start()
        self.use_up()
        for header in ((), (JSON,), (("Content-Type", "text/plain"),),
                       (("Content-Type", ""),),
                       (("Content-Type", "image/png; charset=x"),)):
            self.assertEqual(self.call(asking(CHEAP), *header)[0], 429, header)
        self.assertEqual(self.cheaper.seen, [])

    def test_a_limit_holds_the_degraded_and_then_refuses(self):
        self.start("  degrade: {limit: {rps: 2, window_seconds: 86400}}\n")
        self.use_up()
        for _ in range(2):
            self.degraded(asking(DEAR), JSON)
        status, body = self.call(asking(DEAR), JSON)
        self.assertEqual((status, json.loads(body)["status"]), (429, 429))
        self.assertEqual(len(self.cheaper.seen), 2)

    def test_no_content_type_keeps_the_model(self):
        self.start()
        self.use_up()
        for header in ((), (("Content-Type", "text/plain"),),
                       (("Content-Type", "application/x-www-form-urlencoded"),),
                       (("Content-Type", "application/json; charset=utf-8"),),
                       (JSON, JSON)):
            self.assertEqual(self.degraded(asking(DEAR), *header),
                             asking(CHEAP), header)

    def test_requests_pass_as_they_are_while_the_server_is_away(self):
        self.start()
        self.use_up()
        self.server.stop()
        self.assertEqual(self.call(asking(DEAR), JSON, *SPOOFED)[0], 200)
        self.assertEqual(self.upstream.seen[-1][2], asking(DEAR))
        self.assertNotIn("x-model", self.upstream.seen[-1][1])


class SpoofTest(DegradeCase):
    def test_no_header_makes_a_request_a_degraded_one(self):
        self.start()
        self.assertEqual(self.call(asking(DEAR, degraded=True), JSON,
                                   *SPOOFED)[0], 200)
        _, seen, body = self.upstream.seen[0]
        self.assertEqual(body, asking(DEAR, degraded=True))
        self.assertNotIn("x-model", seen)
        self.assertNotIn("x-ratelimit-degraded", seen)

    def test_no_header_keeps_a_request_from_being_degraded(self):
        self.start()
        self.use_up()
        self.assertEqual(self.degraded(asking(DEAR), JSON, *SPOOFED),
                         asking(CHEAP))

    def test_no_header_names_the_model_that_is_judged(self):
        self.start()
        self.use_up()
        self.assertEqual(self.call(asking(CHEAP), JSON, ("X-Model", DEAR))[0],
                         429)

    def test_where_no_model_is_the_cheapest_none_can_be_hidden(self):
        self.start(config=CONFIG.replace("{gpt-4:", "{gpt-5: gpt-4, gpt-4:"))
        self.use_up()
        self.degraded(asking(DEAR), JSON)
        for body in (b'{"Model": "gpt-5"}', b"", gzip.compress(asking("gpt-5")),
                     asking(CHEAP), asking("another")):
            status, answer = self.call(body, JSON)
            self.assertEqual((status, json.loads(answer)["status"]), (429, 429))

    def test_no_model_keeps_the_server_from_being_asked(self):
        self.start()
        self.use_up()
        for model in ("", "x" * 8_192, "x" * 70_000, "x" * 3_000_000, "\0",
                      "\x7f\u20ac", 5, None, True, [DEAR], {"model": DEAR},
                      1e300):
            sent = self.degraded(asking(model, stream=True), JSON)
            self.assertEqual(json.loads(sent), {"model": CHEAP, "stream": True})


class BodyTest(DegradeCase):
    def test_only_the_model_changes(self):
        self.start()
        self.use_up()
        for body in (
                b'{"model":"gpt-4"}',
                b' \r\n{\t"model" :\n"gpt-4" , "a":1 } \n',
                b'{"a": {"model": "gpt-4", "b": ["}", {"model": 1}]}, "model": '
                b'"gpt-4", "c": "\\"model\\": \\\\", "d": -1.5e+3, "e": null}',
                '{"messages": ["Grüße 🙂 {\\""], "model": "gpt-4"}'.encode(),
                b'{"text": "model", "model": "gpt-4", "x": "gpt-4"}'):
            self.assertEqual(json.loads(body)["model"], DEAR)
            sent = self.degraded(body, JSON)
            head, end = body.rsplit(b'"gpt-4"', 1)
            if end.startswith(b"}") and b'"x"' in body:
                head, end = body.split(b'"gpt-4"', 1)
            self.assertEqual(sent, head + b'"gpt-3.5-turbo"' + end)

    def test_no_way_to_write_it_keeps_the_model(self):
        self.start()
        self.use_up()
        for body in (b'{"mod\\u0065l": "gpt-4"}',
                     b'{"\\u006d\\u006F\\u0064\\u0065\\u006c": "gpt-4"}',
                     b'{"model": "gpt-\\u0034"}',
                     b'{"model": "gpt-3.5-turbo", "model": "gpt-4"}',
                     b'{"model": "gpt-4", "x": {}, "Model": "gpt-4"}',
                     b'{"Model": "gpt-4"}',
                     b'\xef\xbb\xbf{"model": "gpt-4"}',
                     b'{"model": "gpt-4"} trailing',
                     b'{"model": "gpt-4", "x": }',
                     b'{"x": "\xff", "model": "gpt-4"}'):
            sent = self.degraded(body, JSON)
            self.assertNotIn(b"gpt-4", sent)
            self.assertNotIn(b"gpt-\\u0034", sent)
            self.assertIn(b'"gpt-3.5-turbo"', sent)

    def test_what_is_no_json_passes_with_the_header_only(self):
        self.start()
        self.use_up()
        for body in (b"", b"model=gpt-4", b"{", b'{"', b'{"model', b'{"model"',
                     b'{"model":', b'{"model": {', b'["model", "gpt-4"]', b"5",
                     b'"model"', b"{}", b'{"a": "model"}', b"\0" * 1000,
                     b'{"models": "gpt-4"}', b'{"\\\\u006dodel": "gpt-4"}',
                     b'{"a": {"model": "gpt-4"}}', b"[" * 100_000,
                     b'{"a":' * 100_000, gzip.compress(asking(DEAR))):
            self.assertEqual(self.degraded(body, JSON), body, body[:50])

    def test_a_request_without_a_body_is_degraded_too(self):
        self.start()
        self.use_up()
        self.assertEqual(self.degraded(None, method="GET"), b"")

    def test_a_body_in_chunks_is_changed(self):
        self.start()
        self.use_up()
        self.assertEqual(self.degraded(asking(DEAR), JSON, chunked=True),
                         asking(CHEAP))

    def test_a_large_body_is_changed_and_one_too_large_is_refused(self):
        self.start()
        self.use_up()
        for length in (1 << 20, 3 << 20):
            for text in ("x" * length, '"' * (length // 2)):
                sent = self.degraded(asking(DEAR, text=text), JSON)
                self.assertEqual(sent, asking(CHEAP, text=text))
                self.assertEqual(
                    self.degraded(asking(DEAR, text=text), JSON, chunked=True),
                    sent)
        for chunked in (False, True):
            self.assertEqual(self.call(asking(DEAR, text="x" * (4 << 20)), JSON,
                                       chunked=chunked)[0], 413)

    def test_a_large_body_that_comes_before_the_verdict_does_not_hang(self):
        self.start()
        self.use_up()
        body = asking(DEAR, text="x" * (3 << 20))
        head = ("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"{': '.join(FREE)}\r\nContent-Length: {len(body)}\r\n\r\n")
        harness.pause(self.server.process)
        try:
            with socket.create_connection(("127.0.0.1", self.envoy.port),
                                          harness.PATIENCE_S) as connection:
                connection.sendall(head.encode() + body)
                harness.wait_for("a question",
                                 lambda: self.envoy.asking() == 1)
                self.server.process.send_signal(signal.SIGCONT)
                self.assertIn(b" 200 ", connection.makefile("rb").readline())
        finally:
            self.server.process.send_signal(signal.SIGCONT)
        self.assertEqual(self.cheaper.seen[0][2],
                         asking(CHEAP, text="x" * (3 << 20)))


class ConfigurationTest(unittest.TestCase):
    def test_all_else_is_that_of_envoy_yaml(self):
        plain, degrade = load("envoy.yaml"), load("degrade.yaml")
        host = manager(degrade)["route_config"]["virtual_hosts"][0]
        self.assertEqual(list(host["rate_limits"][0]["actions"].pop()),
                         ["metadata"])
        self.assertEqual(host["routes"].pop(0)["route"], {"cluster": "cheaper"})
        filters = manager(degrade)["http_filters"]
        self.assertEqual([entry["name"].rsplit(".", 1)[1] for entry in filters],
                         ["buffer", "json_to_metadata", "ratelimit", "lua",
                          "router"])
        filters[:] = filters[2], filters[4]
        clusters = degrade["static_resources"]["clusters"]
        self.assertEqual(clusters.pop()["name"], "cheaper")
        self.assertEqual(degrade, plain)


if __name__ == "__main__":
    unittest.main()
