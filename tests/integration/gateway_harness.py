"""Test cases for every gateway that queries ratelimitd by a sub-request. They
use the real gateway with its configuration from deploy/gateways."""

import contextlib
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

import harness

FREE = ("Authorization", "Bearer user-123")  # 5 a minute
PRO = ("Authorization", "Bearer user-456")  # 50 a minute
REFUSED = {"status": 429,
           "message": "Rate limit exceeded. Free tier: 5 req/min"}

QUEUE = """
rate_limit:
  default_rps: 10
  user_tiers: {free: {rps: 5, window_seconds: 60}}
  user_assignments: {user-123: free}
  enforce: queue
"""


class CheaperModel(http.server.BaseHTTPRequestHandler):
    """Stands in for a ratelimitd that admits the request and sends headers for
    the upstream."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("X-RateLimit-Degraded", "true")
        self.send_header("X-Model", "gpt-3.5-turbo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass


class Gateway:
    """A gateway program. Its configuration file sets its port."""

    def __init__(self, folder, command, prepare):
        """`prepare(port)` writes the configuration; `command` starts it."""
        self.output = (pathlib.Path(folder) / "gateway.log").open("w+")
        for _ in range(harness.PORT_TRIES):
            self.port = harness.free_port()
            prepare(self.port)
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=folder,
                stdin=subprocess.DEVNULL, stdout=self.output,
                stderr=subprocess.STDOUT)
            if harness.wait_for("the gateway's port", self.state) == "open":
                return
        raise AssertionError(f"the gateway does not start:\n{self.log()}")

    def state(self):
        if self.process.poll() is not None:
            return "ended"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return "open"
        return None

    def log(self):
        self.output.seek(0)
        return self.output.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(harness.PATIENCE_S)
        self.output.close()


def replaced(text, changes):
    """The text with each key of `changes` replaced. Each key must occur."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, str(new))
    return text


class GatewayCases:
    """The cases of all gateways. The test of a gateway inherits them and
    ProcessTest, and defines
    start_gateway(HTTP address of the server, port of the upstream)."""

    # How long the gateway waits for an answer. The time in the configurations
    # is too short for a busy machine.
    wait_ms = harness.PATIENCE_S * 1000

    def setUp(self):
        super().setUp()
        self.upstream = harness.Upstream()
        self.addCleanup(self.upstream.stop)

    def start(self, config=harness.RECIPE, **options):
        self.server = self.start_server("--config", config, **options)
        self.gateway = self.start_gateway(self.server.http, self.upstream.port)
        self.addCleanup(self.gateway.stop)
        harness.quiet_minute()

    def call(self, *headers, method="POST", path="/v1/messages", body=b"{}",
             chunked=False):
        return harness.send_request(self.gateway.port, *headers, method=method,
                                    path=path, body=body or None,
                                    chunked=chunked)

    def statuses(self, *headers, count, **request):
        return [self.call(*headers, **request).status for _ in range(count)]

    def assert_limited_to(self, limit, *headers, **request):
        self.assertEqual(self.statuses(*headers, count=limit + 1, **request),
                         [200] * limit + [429], self.gateway.log())

    def test_the_sixth_request_of_a_free_user_is_refused(self):
        self.start()
        for remaining in range(4, -1, -1):
            answer = self.call(FREE)
            self.assertEqual(answer.status, 200, self.gateway.log())
            self.assertEqual(json.loads(answer.body)["cost_cents"], 15)
            self.assertEqual(answer.headers["content-type"], "application/json")
            self.assertEqual(answer.headers["ratelimit-limit"], "5")
            self.assertEqual(answer.headers["ratelimit-remaining"],
                             str(remaining))
            self.assertIn(int(answer.headers["ratelimit-reset"]), range(1, 61))
        answer = self.call(FREE)
        self.assertEqual(answer.status, 429, self.gateway.log())
        self.assertEqual(json.loads(answer.body), REFUSED)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.headers["ratelimit-limit"], "5")
        self.assertEqual(answer.headers["ratelimit-remaining"], "0")
        self.assertIn(int(answer.headers["retry-after"]), range(1, 61))
        self.assertEqual(answer.headers["ratelimit-reset"],
                         answer.headers["retry-after"])
        self.assertEqual(len(self.upstream.seen), 5)

    def test_a_free_user_who_is_refused_takes_nothing_from_a_pro_user(self):
        self.start()
        self.assert_limited_to(5, FREE)
        self.assertEqual(self.statuses(PRO, count=6), [200] * 6)

    def test_each_method_is_limited(self):
        self.start()
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(
                self.call(FREE, method=method, body=b"").status, 200, method)
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST"):
            self.assertEqual(
                self.call(FREE, method=method, body=b"").status, 429, method)

    def test_each_way_to_write_a_path_is_limited(self):
        self.start()
        self.assert_limited_to(5, FREE)
        for path in ("/", "//v1/messages", "/v1/%6dessages", "/v1/../v1/messages",
                     "/v1/messages/", "/v1/messages;a", "/v1/messages?a=/b",
                     "/_ratelimit", "/v1/forward-auth", "/v1%2fmessages",
                     "/healthcheck", "/v1/messages%00", "/.well-known/x"):
            self.assertIn(self.call(FREE, path=path).status, (429, 400, 404),
                          path)
        self.assertEqual(len(self.upstream.seen), 5)

    def test_a_client_cannot_say_that_he_is_another_user(self):
        self.start()
        for spoof in (("X-User-ID", "user-789"), ("x-user-id", "user-789"),
                      ("X_User_ID", "user-789")):
            self.call(FREE, spoof)
            self.assertNotIn("x-user-id", self.upstream.seen[-1][1])
        self.assertEqual(
            [self.call(FREE, ("X-User-ID", "user-789")).status
             for _ in range(3)], [200, 200, 429])

    def test_a_client_cannot_say_that_he_comes_from_another_address(self):
        self.start()
        statuses = [
            self.call(("X-Forwarded-For", f"10.0.0.{number}"),
                      ("X-Real-IP", f"10.0.0.{number}"),
                      ("X_Forwarded_For", f"10.0.0.{number}"),
                      ("Forwarded", f"for=10.0.0.{number}"),
                      ("Connection", "close, x-forwarded-for")).status
            for number in range(11)]
        self.assertEqual(statuses, [200] * 10 + [429])

    def test_a_token_cannot_be_hidden_from_the_server_alone(self):
        self.start()
        self.assert_limited_to(5, FREE)
        answer = self.call(FREE, ("Connection", "close, authorization"))
        # Some gateways drop a header that Connection names. Then the client is
        # anonymous for the upstream too.
        if answer.status == 200:
            self.assertEqual(answer.headers["ratelimit-limit"], "10")
            self.assertNotIn("authorization", self.upstream.seen[-1][1])
        else:
            self.assertEqual(answer.status, 429)

    def test_two_tokens_make_the_client_anonymous(self):
        self.start()
        statuses = self.statuses(PRO, ("Authorization", "Bearer user-789"),
                                 count=11)
        # Some gateways refuse such a request.
        self.assertIn(statuses, ([200] * 10 + [429], [400] * 11))

    def test_headers_that_mean_something_to_http_change_nothing(self):
        self.start()
        odd = (("Range", "bytes=x"), ("Range", "bytes=0-1"),
               ("Accept-Encoding", "gzip, br"),
               ("Content-Encoding", "gzip"),
               ("Content-Type", "multipart/form-data"),
               ("If-None-Match", "*"))
        for header in odd[:5]:
            self.assertEqual(self.call(FREE, header).status, 200, header)
        for header in odd:
            answer = self.call(FREE, header)
            self.assertEqual(answer.status, 429, header)
            if header[0] != "Accept-Encoding":
                self.assertEqual(json.loads(answer.body), REFUSED, header)

    def test_a_body_reaches_the_upstream_and_nothing_else(self):
        self.start()
        big = os.urandom(300_000)
        hidden = (b"GET /v1/forward-auth HTTP/1.1\r\nHost: x\r\n"
                  b"Authorization: Bearer user-789\r\n\r\n")
        for body in (big, hidden):
            for method in ("POST", "PUT"):
                self.assertEqual(
                    self.call(PRO, body=body, method=method).status, 200)
                self.assertEqual(self.upstream.seen[-1][2], body)
                self.assertEqual(self.call(PRO, body=body, method=method,
                                           chunked=True).status, 200)
                self.assertEqual(self.upstream.seen[-1][2], body)
        # The server counted 8 requests of one user, and no request in a body.
        self.assertEqual(self.call(PRO).headers["ratelimit-remaining"], "41")
        last = self.call(("Authorization", "Bearer user-789"))
        self.assertEqual(last.headers["ratelimit-remaining"], "499")

    def test_headers_for_the_upstream_are_the_servers_and_never_the_clients(
            self):
        self.start()
        spoofed = (("X-RateLimit-Degraded", "false"), ("X-Model", "gpt-4"))
        self.assertEqual(self.call(FREE, *spoofed).status, 200)
        for name, _ in spoofed:
            self.assertNotIn(name, self.upstream.seen[-1][1])

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), CheaperModel)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        address = f"127.0.0.1:{server.server_address[1]}"
        self.gateway.stop()
        self.gateway = self.start_gateway(address, self.upstream.port)
        self.addCleanup(self.gateway.stop)
        self.assertEqual(self.call(FREE, *spoofed).status, 200)
        seen = self.upstream.seen[-1][1]
        self.assertEqual(seen.get_all("X-RateLimit-Degraded"), ["true"])
        self.assertEqual(seen.get_all("X-Model"), ["gpt-3.5-turbo"])

    def test_where_others_would_wait_a_request_is_refused_at_once(self):
        self.start(config=self.write("queue.yaml", QUEUE))
        self.assert_limited_to(5, FREE)
        self.assertIn(int(self.call(FREE).headers["retry-after"]), range(1, 61))

    def test_many_at_once_are_counted_exactly(self):
        self.start()
        done = self.run_program(
            "ab", "-q", "-n", "200", "-c", "20", "-H",
            ": ".join(FREE), f"http://127.0.0.1:{self.gateway.port}/")
        self.assertRegex(done.stdout, r"Non-2xx responses: +195\n")
        self.assertEqual(len(self.upstream.seen), 5)

    def test_requests_pass_while_the_server_is_away(self):
        self.start()
        self.assert_limited_to(5, FREE)
        self.server.stop()
        self.assertEqual(self.statuses(FREE, count=3), [200] * 3)
        self.assertEqual(len(self.upstream.seen), 8)
        self.assertFalse(self.call(FREE).headers.get("ratelimit-limit"))
        self.assertFalse(self.upstream.seen[-1][1].get("x-model"))

    def test_requests_pass_while_the_server_hangs(self):
        self.wait_ms = 250
        self.start()
        harness.pause(self.server.process)
        try:
            self.assertEqual(self.statuses(FREE, count=7), [200] * 7)
        finally:
            self.server.process.send_signal(signal.SIGCONT)

    def test_requests_pass_while_the_servers_store_is_away(self):
        self.start(environment={"REDIS_URL": "redis://127.0.0.1:1"})
        self.assertEqual(self.statuses(FREE, count=7), [200] * 7)
        self.assertEqual(len(self.upstream.seen), 7)
