"""Clients that try to bypass the limits, through the real Envoy with
deploy/envoy/envoy.yaml. recipe_test.py tests odd and missing tokens."""

import asyncio
import os
import re
import signal
import socket
import unittest

import harness

FREE = ("Authorization", "Bearer user-123")  # 5 a minute
REQUEST = (b"GET /v1/messages HTTP/1.1\r\nHost: x\r\n"
           b"Authorization: Bearer user-123\r\n\r\n")
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def virtual_host(config):
    listener = config["static_resources"]["listeners"][0]
    http_filter = listener["filter_chains"][0]["filters"][0]
    return http_filter["typed_config"]["route_config"]["virtual_hosts"][0]


def deny_on_failure(config):
    listener = config["static_resources"]["listeners"][0]
    for item in listener["filter_chains"][0]["filters"][0]["typed_config"][
            "http_filters"]:
        if item["name"] == "envoy.filters.http.ratelimit":
            item["typed_config"]["failure_mode_deny"] = True


class EnvoyCase(harness.ProcessTest):
    def start(self, change=None, slow=True, **options):
        def change_config(config):
            if slow:
                harness.allow_slow_answers(config)
            if change:
                change(config)

        self.server = self.start_server("--config", harness.RECIPE, **options)
        self.envoy = self.start_envoy(self.server, change=change_config)
        harness.quiet_minute()

    def call(self, *headers, method="POST", path="/v1/messages", body=b"{}"):
        return harness.send_request(self.envoy.port, *headers, method=method,
                                    path=path, body=body).status

    def statuses(self, *headers, count, **request):
        return [self.call(*headers, **request) for _ in range(count)]

    def send(self, data):
        """Sends these bytes; returns all bytes until Envoy closes the
        connection."""
        with socket.create_connection(("127.0.0.1", self.envoy.port),
                                      harness.PATIENCE_S) as connection:
            connection.sendall(data)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer

    def codes(self, data):
        return [int(code) for code in
                re.findall(rb"HTTP/1\.[01] (\d+) ", self.send(data))]

    def use_up(self):
        """Uses up the limit of the free user: the upstream gets 5 requests."""
        self.assertEqual(self.statuses(FREE, count=6), [200] * 5 + [429])

    def assert_nothing_passed(self):
        self.assertEqual(len(self.upstream.seen), 5)


class BypassTest(EnvoyCase):
    def test_a_forwarded_address_is_not_believed(self):
        self.start()
        statuses = []
        for number in range(11):
            address = f"10.0.0.{number}"
            statuses.append(self.call(
                ("X-Forwarded-For", address), ("X-Real-IP", address),
                ("Forwarded", f"for={address}"), ("True-Client-IP", address),
                ("X-Envoy-External-Address", address)))
        self.assertEqual(statuses, [200] * 10 + [429])

    def test_a_user_is_not_made_by_a_header(self):
        self.start()
        self.assertEqual(
            [self.call(FREE, ("X-User-ID", "user-789"), ("user_id", "user-789"),
                       ("X-API-Key", f"key-{number}")) for number in range(6)],
            [200] * 5 + [429])

    def test_headers_of_ours_do_not_reach_the_upstream_from_a_client(self):
        self.start()
        spoofed = ("X-User-ID", "X-Model", "X-RateLimit-Degraded")
        headers = [(name, value) for name in spoofed for value in "ab"]
        headers += [(name.replace("-", "_"), "c") for name in spoofed]
        headers += [(name.upper(), "d") for name in spoofed]
        self.assertEqual(self.call(FREE, *headers), 200)
        seen = self.upstream.seen[0][1]
        for name in seen:
            self.assertNotIn(name.lower().replace("_", "-"),
                             [spoof.lower() for spoof in spoofed])

    def test_no_route_is_had_by_a_header_of_ours(self):
        def add_route(config):
            virtual_host(config)["routes"].insert(0, {
                "match": {"prefix": "/", "headers": [{
                    "name": "x-ratelimit-degraded",
                    "string_match": {"exact": "true"}}]},
                "direct_response": {"status": 207}})

        self.start(add_route)
        self.assertEqual(self.call(FREE, ("X-RateLimit-Degraded", "true")), 200)

    def test_a_route_that_was_added_is_limited_too(self):
        def add_route(config):
            virtual_host(config)["routes"].insert(0, {
                "match": {"prefix": "/added"}, "route": {"cluster": "upstream"}})

        self.start(add_route)
        self.assertEqual(self.statuses(FREE, count=6, path="/added"),
                         [200] * 5 + [429])

    def test_each_way_to_write_a_path_is_limited(self):
        self.start()
        self.use_up()
        for path in ("/", "//v1/messages", "/v1/%6dessages", "/V1/Messages",
                     "/v1/./messages", "/x/../v1/messages", "/v1/messages/",
                     "/v1/messages;a=b", "/v1/messages?a=/b", "/v1%2fmessages",
                     "/v1%5cmessages", "/v1/messages%00", "/v1/messages#a",
                     "/../../v1/messages", "http://other/v1/messages",
                     "/" + "a" * 10_000, "*"):
            self.assertIn(self.call(FREE, path=path), (429, 400, 404), path)
        self.assert_nothing_passed()

    def test_each_method_is_limited(self):
        self.start()
        self.use_up()
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS",
                       "TRACE", "PROPFIND", "CONNECT", "X"):
            self.assertIn(self.call(FREE, method=method, body=b""),
                          (429, 400, 403, 404, 501), method)
        self.assert_nothing_passed()

    def test_an_upgrade_is_limited(self):
        self.start()
        self.use_up()
        for protocol in ("websocket", "h2c", "TLS/1.2"):
            self.assertIn(
                self.call(FREE, ("Connection", "Upgrade, HTTP2-Settings"),
                          ("Upgrade", protocol), ("HTTP2-Settings", "AAMAAABk"),
                          method="GET", body=b""), (429, 400, 403), protocol)
        self.assert_nothing_passed()

    def test_each_version_of_http_is_limited(self):
        self.start()
        self.use_up()
        for version in ("--http1.0", "--http1.1", "--http2-prior-knowledge"):
            done = self.run_program(
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", version,
                "-H", ": ".join(FREE), f"http://{self.envoy.address}/v1/x")
            self.assertEqual(done.stdout, "429", version)
        self.assertEqual(self.codes(b"GET /v1/x\r\n\r\n"), [400])
        self.assert_nothing_passed()

    def test_each_of_pipelined_requests_is_limited(self):
        self.start()
        self.assertEqual(self.codes(REQUEST * 7 + LAST),
                         [200] * 5 + [429] * 3)

    def test_no_request_is_hidden_in_a_body(self):
        self.start()
        self.use_up()
        chunked = b"\r\nTransfer-Encoding: chunked\r\n"
        length = b"\r\nContent-Length: %d\r\n" % len(LAST)
        head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n" \
               b"Authorization: Bearer user-123"
        for framing in (chunked + length[2:], length + chunked[2:],
                        length + b"Content-Length: 0\r\n",
                        chunked.replace(b"chunked", b"chunked, identity"),
                        chunked.replace(b": chunked", b" : chunked"),
                        length + b"Transfer_Encoding: chunked\r\n"):
            answer = self.codes(head + framing + b"\r\n0\r\n\r\n" + LAST)
            self.assertTrue(set(answer) <= {400, 429, 501}, (framing, answer))
        self.assert_nothing_passed()

    def test_headers_that_mean_something_to_http_change_nothing(self):
        self.start()
        self.use_up()
        for header in (("Range", "bytes=x"), ("Expect", "100-continue"),
                       ("Content-Type", "application/grpc"),
                       ("TE", "trailers"), ("If-None-Match", "*"),
                       ("X-HTTP-Method-Override", "GET"),
                       ("Connection", "close, x-user-id")):
            status = self.call(FREE, header)
            # gRPC sends its status in a header.
            if header[1] != "application/grpc":
                self.assertIn(status, (429, 400), header)
        self.assert_nothing_passed()

    def test_a_token_cannot_be_hidden_from_the_server_alone(self):
        self.start()
        self.use_up()
        # Envoy drops a header that Connection names. Then the client is
        # anonymous for the upstream too.
        self.assertEqual(self.call(FREE, ("Connection", "authorization")), 200)
        self.assertNotIn("authorization", self.upstream.seen[-1][1])

    def test_a_client_cannot_make_envoy_retry(self):
        self.start()
        self.upstream.status = 503
        self.assertEqual(self.call(
            FREE, ("X-Envoy-Retry-On", "5xx"), ("X-Envoy-Max-Retries", "4"),
            ("X-Envoy-Internal", "true"),
            ("X-Envoy-Hedge-On-Per-Try-Timeout", "true")), 503)
        self.assertEqual(len(self.upstream.seen), 1)

    def test_a_body_of_any_size_is_limited_and_does_not_hang(self):
        self.start()
        body = os.urandom(3 << 20)
        self.assertEqual(self.call(FREE, body=body), 200)
        self.assertEqual(self.upstream.seen[0][2], body)
        self.assertEqual(self.statuses(FREE, count=5), [200] * 4 + [429])
        self.assertEqual(self.codes(
            LAST.replace(b"GET", b"POST").replace(
                b"\r\n\r\n", b"\r\nContent-Length: 3000000\r\n\r\n")), [429])


class CrowdTest(EnvoyCase):
    CROWD = 1500  # Envoy sends 1024 queries at once and lets the others pass

    async def one(self):
        reader, writer = await asyncio.open_connection("127.0.0.1",
                                                       self.envoy.port)
        writer.write(LAST)
        status = int((await reader.readline()).split()[1])
        await reader.read()
        writer.close()
        return status

    async def all(self):
        calls = [asyncio.create_task(self.one()) for _ in range(self.CROWD)]
        await asyncio.to_thread(
            harness.wait_for, "the crowd", lambda: self.envoy.asking() == self.CROWD)
        self.server.process.send_signal(signal.SIGCONT)
        return await asyncio.gather(*calls)

    def test_nobody_of_a_crowd_passes_unasked(self):
        self.start()
        harness.pause(self.server.process)
        try:
            statuses = asyncio.run(self.all())
        finally:
            self.server.process.send_signal(signal.SIGCONT)
        self.assertEqual((statuses.count(200), statuses.count(429)),
                         (5, self.CROWD - 5))


class FailureModeTest(EnvoyCase):
    """Each failure, with the setting of envoy.yaml and with the opposite
    one."""

    REDIS_AWAY = {"REDIS_URL": "redis://127.0.0.1:1"}

    def hang(self):
        harness.pause(self.server.process)
        self.addCleanup(self.server.process.send_signal, signal.SIGCONT)

    def test_requests_pass_while_the_server_is_away(self):
        self.start()
        self.server.stop()
        self.assertEqual(self.statuses(FREE, count=6), [200] * 6)

    def test_requests_are_refused_while_it_is_away_when_that_is_asked_for(self):
        self.start(deny_on_failure)
        self.server.stop()
        self.assertEqual(self.statuses(FREE, count=2), [500] * 2)

    def test_requests_pass_while_the_server_hangs(self):
        self.start(slow=False)
        self.hang()
        self.assertEqual(self.statuses(FREE, count=6), [200] * 6)

    def test_requests_are_refused_while_it_hangs_when_that_is_asked_for(self):
        self.start(deny_on_failure, slow=False)
        self.hang()
        self.assertEqual(self.statuses(FREE, count=2), [500] * 2)

    def test_requests_pass_while_the_store_is_away(self):
        self.start(environment=self.REDIS_AWAY)
        self.assertEqual(self.statuses(FREE, count=6), [200] * 6)

    def test_requests_are_refused_while_the_store_is_away_when_asked_for(self):
        self.start(deny_on_failure, environment=self.REDIS_AWAY)
        self.assertEqual(self.statuses(FREE, count=2), [500] * 2)

    def test_a_server_that_comes_back_is_asked_again(self):
        self.start()
        self.server.stop()
        self.assertEqual(self.statuses(FREE, count=6), [200] * 6)
        self.start_server("--config", harness.RECIPE, addresses=(
            "--grpc-address", self.server.grpc, *harness.FREE_PORTS[2:]))
        harness.wait_for("a refusal", lambda: self.call(FREE) == 429)


if __name__ == "__main__":
    unittest.main()
