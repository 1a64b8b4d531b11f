"""The lean transport and the gRPC libraries of other languages: grpc-go,
grpc-java and grpcio, without TLS, with it, and with certificates of clients.

Each library has a program in clients/. The program holds one channel and reads
commands from its standard input, one in a line:

  call PATH MESSAGE COUNT WIDTH TIMEOUT_MS ENCODING [KEY=VALUE]...
      COUNT unary calls, at most WIDTH at a time
  read PATH MESSAGE MESSAGES TIMEOUT_MS
      one server-streaming call, cancelled after MESSAGES messages
  start COMMAND    runs COMMAND while other commands run
  finish           waits for the command that was started first

MESSAGE is HEX or HEX*TIMES. The answer is a line of CODE:HEX words. With the
code OK, HEX is a message; with another code it is the text of the error.
"""

import collections
import os
import pathlib
import re
import signal
import socket
import subprocess
import unittest

import harness
from certificates import Certificates, serve_tls
from redis_harness import metric

HERE = pathlib.Path(__file__).resolve().parent
GO = [harness.TOOLS / "bin/go_client"]
JAVA = ["java", "-cp", f"{harness.TOOLS}/java:{harness.TOOLS}/java/*", "Client"]
PYTHON = [harness.TOOLS / "venv/bin/python", "-B", HERE / "clients/client.py"]

ASK = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
TIMEOUT_MS = harness.PATIENCE_S * 1000

CALLS = 1000
WIDTH = 32
LIMIT = 600
# How long a request is held: long enough for the test to see it held.
SLOT_S = 2
# Longer than the deadline of every client.
LONG_S = 3600
SHOP = f"""\
domain: shop
descriptors:
  - key: user
    rate_limit: {{unit: year, requests_per_unit: {LIMIT}}}
"""
QUEUE = f"""\
rate_limit:
  default_rps: 1
  user_tiers:
    slow: {{rps: 1, window_seconds: {SLOT_S}, algorithm: token_bucket}}
    slower: {{rps: 1, window_seconds: {LONG_S}, algorithm: token_bucket}}
  user_assignments: {{held: slow, hopeless: slower}}
  enforce: queue
  queue: {{max_wait: {2 * LONG_S}s}}
"""

OK, OVER_LIMIT = 1, 2
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def field(number, value):
    """An encoded field whose value is bytes, text or a message."""
    size, length = len(value), b""
    while size >= 0x80:
        length += bytes([size & 0x7f | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def request(domain, key, value):
    entry = field(1, key.encode()) + field(2, value.encode())
    return field(1, domain.encode()) + field(2, field(1, entry))


def health_request(service=""):
    return field(1, service.encode())


def verdict(message):
    """The overall code, the first field of a response."""
    assert message[0] == 1 << 3, message
    return message[1]


class Client:
    """One of the programs in clients/, with its channel."""

    def __init__(self, command, address, files):
        # grpcio logs each handshake that the test makes fail.
        self.process = subprocess.Popen(
            [*command, address, *files], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, "GRPC_VERBOSITY": "NONE"})

    def send(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def answers(self):
        """[(code, bytes)] of the next line."""
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            raise AssertionError("the client has ended")
        pairs = [word.split(":") for word in line.split()]
        return [(code, bytes.fromhex(digits)) for code, digits in pairs]

    def call(self, path, message, count=1, width=1, timeout_ms=TIMEOUT_MS,
             encoding="identity", metadata=()):
        self.send("call", path,
                  message if isinstance(message, str) else message.hex(),
                  count, width, timeout_ms, encoding, *metadata)
        return self.answers()

    def read(self, path, message, messages, timeout_ms=TIMEOUT_MS):
        self.send("read", path, message.hex(), messages, timeout_ms)
        return self.answers()

    def stop(self):
        self.process.stdin.close()
        try:
            return self.process.wait(harness.PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process.stdout.close()


def connections(server):
    """The number of connections to the gRPC port, as the kernel lists them."""
    port = int(server.grpc.rsplit(":", 1)[1])
    established = rf"(?m)^ *\d+: \w+:{port:04X} \w+:\w+ 01 "
    return len(re.findall(established,
                          pathlib.Path("/proc/net/tcp").read_text()))


class ClientsTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("rules/shop.yaml", SHOP)
        self.write("rules/queue.yaml", QUEUE)
        self.certificates = Certificates(self.folder, "own")

    def serve(self, *settings):
        return self.start_server("--config", self.folder / "rules",
                                 "--transport", "lean",
                                 environment=dict(settings))

    def serve_tls(self, *settings):
        return self.serve(*serve_tls(self.certificates), *settings)

    def serve_known(self):
        """Serves only clients with a certificate for gateway.test."""
        return self.serve_tls(
            ("GRPC_CLIENT_TLS_CACERT", str(self.certificates.ca)),
            ("GRPC_CLIENT_TLS_SAN", "gateway.test"))

    def identity(self):
        return self.certificates.issue("client", "DNS:gateway.test")

    def connect(self, library, server, *files):
        client = Client(library, server.grpc, files)
        self.addCleanup(self.check_client, client)
        return client

    def check_client(self, client):
        self.assertEqual(client.stop(), 0)

    def check_all(self, library, server, *files):
        client = self.connect(library, server, *files)
        self.check_counts(client, server)
        self.check_deadlines(client, server)
        self.check_messages(client)
        self.check_health(client)
        self.assertEqual(connections(server), 1)
        self.check_drain(client, server)

    def check_counts(self, client, server):
        answers = client.call(ASK, request("shop", "user", "many"), CALLS,
                              WIDTH)
        self.assertEqual(
            collections.Counter((code, verdict(message))
                                for code, message in answers),
            {("OK", OK): LIMIT, ("OK", OVER_LIMIT): CALLS - LIMIT})
        self.assertEqual(connections(server), 1)

    def check_deadlines(self, client, server):
        # The server knows the deadline of the call. It refuses a request at
        # once if the next slot is after the deadline.
        hopeless = request("default", "user_id", "hopeless")
        for expected in (OK, OVER_LIMIT):
            (code, message), = client.call(ASK, hopeless)
            self.assertEqual((code, verdict(message)), ("OK", expected))
        self.assertEqual(metric(
            [server], 'ratelimitd_queue_refused_total{reason="deadline"}'), 1)
        *seen, end = client.read(WATCH, health_request(), 2, timeout_ms=500)
        self.assertLessEqual(len(seen), 1)
        self.assertEqual(end[0], "DEADLINE_EXCEEDED")

    def check_messages(self, client):
        user = request("shop", "user", "few")
        answers = client.call(ASK, user, metadata=(
            "x-request-id=7", "x-trace-bin=00ff10", "x-long=" + "v" * 4000))
        self.assertEqual([code for code, _ in answers], ["OK"])
        # Every library leaves a message uncompressed if compression makes it
        # larger.
        wordy = request("shop", "user", "w" * 4000)
        (code, message), = client.call(ASK, wordy, encoding="gzip")
        self.assertEqual((code, verdict(message)), ("OK", OK))
        # Larger than the server accepts, and larger than its buffer.
        self.assertEqual(client.call(ASK, "00*4200000"),
                         [("RESOURCE_EXHAUSTED", b"the message is too large")])
        self.assertEqual(client.call(ASK, "00*6000000"),
                         [("RESOURCE_EXHAUSTED", b"the request is too large")])
        self.assertEqual(client.call(ASK, "ff"), [(
            "INVALID_ARGUMENT", b"request: not a valid protobuf message")])
        for path in ("/envoy.service.ratelimit.v3.RateLimitService/Nothing",
                     "/nowhere.Nobody/Nothing"):
            self.assertEqual(client.call(path, user),
                             [("UNIMPLEMENTED", b"no such method")])
        # Each of these fails only its own call.
        self.assertEqual([code for code, _ in client.call(ASK, user)], ["OK"])

    def check_health(self, client):
        self.assertEqual(client.call(CHECK, health_request()),
                         [("OK", SERVING)])
        self.assertEqual(client.call(CHECK, health_request("nobody")),
                         [("NOT_FOUND", b"unknown service")])
        watched = client.read(WATCH, health_request(), 1)
        self.assertEqual(watched[0], ("OK", SERVING))
        self.assertEqual([code for code, _ in watched[1:]], ["CANCELLED"])

    def check_drain(self, client, server):
        """Calls in flight at SIGTERM are answered. Later calls are refused with
        UNAVAILABLE, so that clients use another server."""
        client.send("start read", WATCH, health_request().hex(), 9, TIMEOUT_MS)
        client.send("start call", ASK,
                    request("default", "user_id", "held").hex(), 2, 2,
                    TIMEOUT_MS, "identity")
        harness.wait_for("a held request", lambda: metric(
            [server], "ratelimitd_queued_requests") + metric(
            [server], "ratelimitd_queue_wait_seconds_count") == 1)
        server.process.send_signal(signal.SIGTERM)

        def refused():
            (code, _), = client.call(ASK, request("shop", "user", "late"))
            self.assertIn(code, ("OK", "UNAVAILABLE"))
            return code == "UNAVAILABLE"
        harness.wait_for("a refusal", refused)
        with self.assertRaises(ConnectionRefusedError):
            host, port = server.grpc.rsplit(":", 1)
            socket.create_connection((host, int(port)))
        client.send("finish")
        watched = client.answers()
        self.assertEqual(watched[:2], [("OK", SERVING), ("OK", NOT_SERVING)])
        self.assertEqual(watched[2:], [("UNAVAILABLE", b"shutting down")])
        client.send("finish")
        self.assertEqual([(code, verdict(message))
                          for code, message in client.answers()],
                         [("OK", OK)] * 2)
        self.assertEqual(server.process.wait(harness.PATIENCE_S), 0)

    def check_strangers(self, library):
        """A client without a certificate, or without trust in the certificate
        of the server, gets no answer. The server keeps serving."""
        strange = Certificates(self.folder, "strange")
        server = self.serve_known()
        for files in ([self.certificates.ca],
                      [strange.ca, *self.identity()],
                      [self.certificates.ca,
                       *strange.issue("client", "DNS:gateway.test")],
                      [self.certificates.ca, *self.certificates.issue(
                          "other", "DNS:other.test")]):
            client = self.connect(library, server, *files)
            (code, _), = client.call(CHECK, health_request())
            self.assertEqual(code, "UNAVAILABLE")
        client = self.connect(library, server, self.certificates.ca,
                              *self.identity())
        self.assertEqual(client.call(CHECK, health_request()),
                         [("OK", SERVING)])


def add_tests(name, library):
    """Adds the same tests for each library and each kind of connection."""
    def plaintext(self):
        self.check_all(library, self.serve())

    def tls(self):
        self.check_all(library, self.serve_tls(), self.certificates.ca)

    def certificate(self):
        self.check_all(library, self.serve_known(), self.certificates.ca,
                       *self.identity())

    def strangers(self):
        self.check_strangers(library)

    for test, kind in ((plaintext, "is_served_in_plaintext"),
                       (tls, "is_served_by_tls"),
                       (certificate, "is_served_with_its_certificate"),
                       (strangers, "is_refused_without_trust")):
        setattr(ClientsTest, f"test_{name}_{kind}", test)


add_tests("grpc_go", GO)
add_tests("grpc_java", JAVA)
add_tests("grpcio", PYTHON)


if __name__ == "__main__":
    unittest.main()
