"""Hostile clients of the HTTP ports of the real server. Beside each attack a
health check and a decision are answered, and the memory stays below a stated
bound."""

import contextlib
import http.client
import os
import pathlib
import resource
import socket
import ssl
import threading
import unittest

import harness
from certificates import Certificates

MIB = 1 << 20
# Growth of the resident memory, unless a test says otherwise.
MOST_GROWTH = 32 * MIB
REQUEST_END = b" HTTP/1.1\r\nHost: x\r\n"


def address_of(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


class HostileCase(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_server(
            "--config", harness.RECIPE,
            environment={"GRPC_THREADS": "1", "DRAIN_TIME": "2s"})
        self.sockets = contextlib.ExitStack()
        self.addCleanup(self.sockets.close)
        self.assert_served()
        self.first_bytes = self.resident_bytes()

    def connect(self, address=None):
        connection = socket.create_connection(
            address_of(address or self.server.http),
            timeout=harness.PATIENCE_S)
        return self.sockets.enter_context(connection)

    def status_of(self, name):
        text = pathlib.Path(
            f"/proc/{self.server.process.pid}/status").read_text()
        return next(line for line in text.splitlines()
                    if line.startswith(name + ":"))

    def resident_bytes(self, name="VmHWM"):
        """The highest resident memory so far."""
        return int(self.status_of(name).split()[1]) * 1024

    def assert_served(self):
        """New connections get health, metrics and decisions."""
        self.assertEqual(self.server.get("/live"), (200, "OK"))
        self.assertEqual(self.server.get("/ready"), (200, "OK"))
        self.assertEqual(self.server.get("/metrics")[0], 200)
        answer = self.server.ask(("user_id", os.urandom(8).hex()))
        self.assertEqual(answer[0], 200, answer)

    def assert_bounded(self, most=MOST_GROWTH):
        self.assertLess(self.resident_bytes() - self.first_bytes, most)

    def refused(self, reason, port="http"):
        text = self.server.get("/metrics")[1]
        start = ("ratelimitd_http_refused_total"
                 f'{{port="{port}",reason="{reason}"}} ')
        return next(float(line[len(start):]) for line in text.splitlines()
                    if line.startswith(start))

    def send_until_closed(self, connection, piece, most_bytes):
        """Sends pieces until the server refuses them; returns their bytes."""
        sent = 0
        with contextlib.suppress(OSError):
            while sent < most_bytes:
                connection.sendall(piece)
                sent += len(piece)
        return sent


class BytesTest(HostileCase):
    def test_a_range_of_many_digits_is_only_a_header(self):
        head = b"Range: bytes=%b-\r\n\r\n" % (b"1" * 8000)
        for _ in range(10):
            connection = self.connect()
            for path in (b"/live", b"/nothing", b"/v1/forward-auth") * 17:
                connection.sendall(b"GET " + path + REQUEST_END + head)
                self.assertRegex(connection.recv(4096), b"^HTTP/1.1 (200|404|429)")
        self.assert_served()
        self.assert_bounded()

    def test_many_ranges_do_not_multiply_an_answer(self):
        head = b"Range: bytes=%b\r\n\r\n" % b",".join([b"0-"] * 2000)
        for _ in range(60):
            # The answer is not read.
            self.connect().sendall(b"GET /metrics" + REQUEST_END + head)
        self.assert_served()
        self.assert_bounded()

    def test_headers_without_end_are_refused(self):
        for address in (self.server.http, self.server.debug):
            connection = self.connect(address)
            connection.sendall(b"GET /" + REQUEST_END)
            sent = self.send_until_closed(connection,
                                          b"X-A: %b\r\n" % (b"a" * 1000),
                                          176 * MIB)
            self.assertLess(sent, 16 * MIB)
        self.assert_served()
        self.assert_bounded()
        for port in ("http", "debug"):
            self.assertEqual(self.refused("head_too_large", port), 1)

    def test_a_chunked_body_without_end_is_refused(self):
        for path in (b"/json", b"/v1/forward-auth"):
            connection = self.connect()
            connection.sendall(b"POST " + path + REQUEST_END +
                               b"Transfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n%b\r\n" % (b"x" * (1 << 16))
            sent = self.send_until_closed(connection, chunk, 138 * MIB)
            self.assertLess(sent, 16 * MIB)
        self.assert_served()
        self.assert_bounded()
        self.assertEqual(self.refused("body_too_large"), 2)

    def test_unfinished_bodies_of_many_clients_have_a_bound_together(self):
        body = b"x" * (MIB - 1)
        for _ in range(200):
            connection = self.connect()
            connection.sendall(b"POST /json" + REQUEST_END +
                               b"Content-Length: %d\r\n\r\n" % MIB)
            self.send_until_closed(connection, body, len(body))
        self.assert_served()
        # 64 MiB, and the memory that the allocator keeps.
        self.assert_bounded(160 * MIB)
        self.assertGreater(self.refused("memory"), 0)

    def test_json_of_many_descriptors_is_refused_unread(self):
        one = '{"entries": [{"key": "k"}]},'
        body = '{"domain": "d", "descriptors": [%s{}]}' % (one * 20_000)
        status, text = harness.send_request(
            address_of(self.server.http)[1], path="/json", body=body.encode()
        )[::2]
        self.assertEqual((status, text), (400, b"descriptors: more than 1024"))

    def test_a_body_is_never_the_next_request(self):
        hidden = b"GET /v1/forward-auth" + REQUEST_END + b"\r\n"
        forms = {
            b"Content-Length: %d\r\n" % len(hidden): hidden,
            b"Transfer-Encoding: chunked\r\n":
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden),
            b"Content-Length: +%d\r\n" % len(hidden): hidden,
            b"Content-Length: 0x%x\r\n" % len(hidden): hidden,
            b"Content-Length: 0, %d\r\n" % len(hidden): hidden,
            b"Content-Length : %d\r\n" % len(hidden): hidden,
            b"Content-Length:\r\n %d\r\n" % len(hidden): hidden,
            b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden):
                hidden,
            b"Transfer-Encoding: xchunked\r\n": hidden,
        }
        for method in (b"GET", b"HEAD", b"POST", b"QUERY", b"MADEUP"):
            for path in (b"/live", b"/json", b"/nothing", b"/v1/forward-auth"):
                for header, body in forms.items():
                    connection = self.connect()
                    connection.sendall(method + b" " + path + REQUEST_END +
                                       b"Connection: close\r\n" + header +
                                       b"\r\n")
                    # In a packet of its own.
                    with contextlib.suppress(OSError):
                        connection.sendall(body)
                    answers = b""
                    while piece := connection.recv(65536):
                        answers += piece
                    self.assertEqual(answers.count(b"HTTP/1.1 "), 1,
                                     (method, path, header, answers))
                    connection.close()


class TimeTest(HostileCase):
    def drip(self, connections):
        """Sends a byte on each connection again and again, until the end of
        the test."""
        stopped = threading.Event()

        def run():
            while not stopped.wait(0.1):
                for connection in connections:
                    with contextlib.suppress(OSError):
                        connection.send(b"x")

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stopped.set)

    def test_slow_clients_do_not_take_the_place_of_health(self):
        # More than a port or one client may have. Twice as many descriptors:
        # the server has the same limit, and it needs some for itself.
        wanted = 2500
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.assertGreater(most, 2 * wanted)
        slow = []
        for number in range(wanted):
            connection = self.connect()
            slow.append(connection)
            connection.sendall(b"GET /" if number % 2 else
                               b"POST /json" + REQUEST_END +
                               b"Content-Length: 99\r\n\r\n")
        self.drip(slow[::10])
        for _ in range(20):
            self.assert_served()
        self.assertGreater(self.refused("peer_full"), 0)
        self.assert_bounded()

    def test_slow_clients_do_not_delay_the_end(self):
        connections = [
            self.connect(address)
            for address in (self.server.http, self.server.debug) * 3]
        for connection in connections[:2]:
            connection.sendall(b"GET /live")
        for connection in connections[2:4]:
            connection.sendall(b"POST /json" + REQUEST_END +
                               b"Content-Length: 9999\r\n\r\n")
        self.drip(connections[:4])
        # The others are idle: one of each port has been used.
        connections[4].sendall(b"GET /live" + REQUEST_END + b"\r\n")
        self.assertIn(b"200 OK", connections[4].recv(4096))
        # A server that waited for these clients would not end in this time,
        # because they send for as long as the test runs.
        self.assertEqual(self.server.stop(), 0)

    def test_idle_connections_cost_no_processor_time(self):
        for _ in range(500):
            connection = self.connect()
            connection.sendall(b"GET /live" + REQUEST_END + b"\r\n")
            self.assertIn(b"200 OK", connection.recv(4096))

        def ticks():
            fields = pathlib.Path(
                f"/proc/{self.server.process.pid}/stat").read_text()
            return sum(map(int, fields.rpartition(")")[2].split()[11:13]))

        before = ticks()
        harness.let_time_pass(2, "the time in which idle connections work")
        # A tenth of a core. Once it was a whole one.
        self.assertLess(ticks() - before, 0.2 * os.sysconf("SC_CLK_TCK"))

    def test_pages_that_are_not_read_have_a_bound_together(self):
        rules = "".join(
            f"  - {{key: k, value: v{number}, rate_limit: "
            "{unit: day, requests_per_unit: 5}}\n" for number in range(20_000))
        config = self.write("rules.yaml",
                            "domain: many\ndescriptors:\n" + rules)
        self.server = self.start_server("--config", config,
                                        environment={"DRAIN_TIME": "1s"})
        page = self.server.get("/rlconfig", self.server.debug)[1]
        self.assertGreater(len(page), MIB)
        self.first_bytes = self.resident_bytes()
        for _ in range(120):
            client = self.sockets.enter_context(socket.socket())
            # Otherwise the system takes a part of the page on its way.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(address_of(self.server.debug))
            client.sendall((b"GET /rlconfig" + REQUEST_END + b"\r\n") * 3)
        harness.wait_for("the bound", lambda: self.refused("memory", "debug"))
        self.assertEqual(self.server.get("/rlconfig", self.server.debug)[0],
                         200)
        # 64 MiB, a page for each thread, and the allocator's memory.
        self.assert_bounded(96 * MIB)

    def test_answers_that_are_not_read_have_a_bound(self):
        connection = self.connect()
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection.send((b"GET /metrics" + REQUEST_END + b"\r\n") * 50)
        self.assert_served()
        self.assert_bounded()


class TlsTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.folder, "own")
        certificate, key = self.certificates.issue(
            "server", "DNS:localhost,IP:127.0.0.1")
        self.settings = {"HTTP_SERVER_USE_TLS": "true",
                         "HTTP_SERVER_TLS_CERT": str(certificate),
                         "HTTP_SERVER_TLS_KEY": str(key)}

    def serve(self, **more):
        self.server = self.start_server("--config", harness.RECIPE,
                                        environment={**self.settings, **more})

    def get(self, path, context):
        connection = http.client.HTTPSConnection(
            self.server.http, timeout=harness.PATIENCE_S, context=context)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def context(self):
        return ssl.create_default_context(cafile=self.certificates.ca)

    def test_all_pages_are_served(self):
        self.serve()
        context = self.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.assertEqual(self.get("/live", context), (200, b"OK"))
        self.assertEqual(self.get("/v1/forward-auth", context), (200, b""))
        text = self.get("/metrics", context)[1]
        self.assertIn(b"ratelimitd_http_refused_total", text)
        # The debug port stays in cleartext.
        self.assertEqual(self.server.get("/rlconfig", self.server.debug)[0],
                         200)

    def test_requests_follow_one_another_on_a_connection(self):
        self.serve()
        with self.context().wrap_socket(
                socket.create_connection(address_of(self.server.http)),
                server_hostname="localhost") as connection:
            request = b"GET /live" + REQUEST_END + b"\r\n"
            for piece in (request * 3, request[:20], request[20:]):
                connection.sendall(piece)
            answers = b""
            while answers.count(b"OK\r\n") < 4 or answers[-2:] != b"OK":
                answers += connection.recv(65536)
            self.assertEqual(answers.count(b"HTTP/1.1 200 "), 4)

    def test_clients_in_cleartext_are_not_answered(self):
        self.serve()
        with socket.create_connection(address_of(self.server.http)) as client:
            client.sendall(b"GET /live" + REQUEST_END + b"\r\n")
            self.assertNotIn(b"HTTP/1.1", client.recv(4096))

    def test_clients_show_their_certificate(self):
        self.serve(HTTP_CLIENT_TLS_CACERT=str(self.certificates.ca),
                   HTTP_CLIENT_TLS_SAN="gateway.test")
        context = self.context()
        with self.assertRaises((ssl.SSLError, OSError)):
            self.get("/live", context)
        context.load_cert_chain(*self.certificates.issue(
            "client", "DNS:gateway.test"))
        self.assertEqual(self.get("/live", context), (200, b"OK"))

    def test_a_handshake_does_not_delay_the_end(self):
        self.serve(DRAIN_TIME="2s")
        with socket.create_connection(address_of(self.server.http)):
            self.assertEqual(self.server.stop(), 0)


class DescriptorTest(harness.ProcessTest):
    def test_a_port_survives_the_lack_of_descriptors(self):
        server = self.start_server("--config", harness.RECIPE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE,
                         (100, 100))
        for address in (server.http, server.debug):
            with contextlib.ExitStack() as clients:
                for _ in range(120):
                    clients.enter_context(
                        socket.create_connection(address_of(address)))
                harness.wait_for("the failure of accept()",
                                 lambda: "accept" in server.log())
            self.assertEqual(server.get("/live")[0], 200)
            self.assertEqual(server.get("/rlconfig", server.debug)[0], 200)


if __name__ == "__main__":
    unittest.main()
