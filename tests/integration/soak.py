"""An hour, or some minutes, of all that happens to a server in a year.

A load at 70% of the peak runs beside reloads, rotated certificates, a Redis
that ends and comes back, connections that open and close, and users that are
never seen again. The memory and the descriptors of the server must stay flat,
and it must answer all the time. scripts/soak runs it.
"""

import collections
import contextlib
import http.client
import os
import socket
import ssl
import struct
import sys
import threading
import time
import unittest

import certificates
import harness
from redis_harness import Load, Redis, resident_kib, result

MINUTES = float(os.environ.get("SOAK_MINUTES", "3"))
CONNECTIONS = 10_000  # opened and closed
USERS = 1_000_000     # new ones
PEAK_CALLS = 30_000
SHARE_OF_PEAK = 0.7
RULES = """
domain: soak
descriptors:
  - key: user
    rate_limit: {unit: minute, requests_per_unit: %d, on_backend_error: local}
"""
# What memory may grow by after the first third: the tables grow in steps.
GROWTH_KIB = 16 << 10

Sample = collections.namedtuple("Sample", "resident_kib descriptors")


def open_descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Soak(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.redis = Redis(self.folder / "redis")
        self.addCleanup(self.redis.stop)
        self.issuer = certificates.Certificates(self.folder, "soak")
        self.rotate_certificate(0)
        self.write_rules(0)
        self.server = self.start_server(
            "--config", self.folder / "rules.yaml", environment={
                "REDIS_URL": self.redis.url,
                "HTTP_SERVER_USE_TLS": "true",
                "HTTP_SERVER_TLS_CERT": str(self.folder / "server.pem"),
                "HTTP_SERVER_TLS_KEY": str(self.folder / "server-key.pem")})
        self.failures = []
        self.serials = set()
        self.samples = []
        self.opened = 0
        self.end = threading.Event()

    # The things that happen. Each is called again and again on a thread of its
    # own, with the number of the call.

    def write_rules(self, number):
        path = self.folder / "rules.yaml"
        new = self.folder / "new-rules"
        new.write_text(RULES % (100 + number % 7))
        new.replace(path)

    def rotate_certificate(self, number):
        certificate, key = self.issuer.issue(f"server-{number}",
                                             "DNS:localhost,IP:127.0.0.1")
        key.replace(self.folder / "server-key.pem")
        certificate.replace(self.folder / "server.pem")

    def fail_over(self, number):
        if number % 2:
            self.redis.kill()
            self.redis.start()
        else:
            self.redis.pause()
            self.end.wait(1)
            self.redis.resume()

    def open_and_close(self, number):
        """Every second connection ends with a reset, every third after a part
        of a request."""
        address = self.server.grpc if number % 2 else self.server.http
        with socket.create_connection(address.rsplit(":", 1)) as connection:
            if number % 3 == 0:
                connection.sendall(b"PRI * HTTP/2.0\r\n")
            self.opened += 1
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))

    def ask_health(self, number):
        """Notes the certificate of the answer."""
        context = ssl.create_default_context(cafile=str(self.issuer.ca))
        host, port = self.server.http.rsplit(":", 1)
        connection = http.client.HTTPSConnection(
            host, int(port), timeout=harness.PATIENCE_S, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/healthcheck")
            self.serials.add(
                connection.sock.getpeercert()["serialNumber"])
            status = connection.getresponse().status
        if status != 200:
            raise AssertionError(f"/healthcheck: {status}")

    def take_sample(self, number):
        self.samples.append(Sample(resident_kib(self.server),
                                   open_descriptors(self.server)))

    def repeat(self, event, period_s):
        """Calls event(0), event(1), ... until the end. Keeps the first
        failure."""
        number = 0
        try:
            while not self.end.wait(period_s):
                event(number)
                number += 1
        except Exception as error:  # reported by the test
            self.failures.append(f"{event.__name__}({number}): {error!r}")

    def peak_rate(self):
        load = Load(self.folder, [self.server],
                    [("soak", f"user=peak-{n}") for n in range(1000)],
                    calls=PEAK_CALLS)
        start = time.monotonic()
        load.wait()
        return PEAK_CALLS / (time.monotonic() - start)

    def send_slices(self, rate):
        """Sends the load in slices of some seconds, each with users of its
        own."""
        slices = max(3, int(MINUTES * 60 / 20))
        users = USERS // slices
        calls = int(rate * MINUTES * 60 / slices)
        totals = collections.Counter()
        for number in range(slices):
            plan = [("soak", f"user=u-{number}-{n}") for n in range(users)]
            records = Load(self.folder, [self.server], plan, rate=rate,
                           calls=max(calls, users)).wait()
            totals.update(map(result, records))
            for path in [*self.folder.glob("records-*"),
                         *self.folder.glob("plan-*")]:
                path.write_bytes(b"")
            print(f"soak: {number + 1}/{slices}", dict(totals),
                  self.samples[-1], file=sys.stderr)
        return totals

    def test_memory_and_descriptors_stay_flat(self):
        self.ask_health(0)
        quiet = open_descriptors(self.server)
        rate = SHARE_OF_PEAK * self.peak_rate()
        seconds = MINUTES * 60
        threads = [threading.Thread(target=self.repeat, args=arguments)
                   for arguments in (
                       (self.write_rules, 2), (self.rotate_certificate, 5),
                       (self.fail_over, 20), (self.ask_health, 1),
                       (self.open_and_close, seconds / CONNECTIONS / 1.5),
                       (self.take_sample, 1))]
        for thread in threads:
            thread.start()
        harness.wait_for("a sample", lambda: self.samples)
        try:
            totals = self.send_slices(rate)
        finally:
            self.end.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.failures, [])
        # A call may fail only while Redis is away, and then a rule answers it.
        self.assertEqual(set(totals) - {"OK", "OVER_LIMIT"}, set())
        self.assertGreater(len(self.serials), 1)
        self.assertGreaterEqual(self.opened, CONNECTIONS)
        self.check_flat(quiet)

    def check_flat(self, quiet):
        third = len(self.samples) // 3
        resident = [sample.resident_kib for sample in self.samples]
        print(f"soak: {resident[0]} KiB at the start, at most "
              f"{max(resident[:third])}, {max(resident[third:-third])} and "
              f"{max(resident[-third:])} in the thirds; at most "
              f"{max(s.descriptors for s in self.samples)} descriptors",
              file=sys.stderr)
        self.assertLess(max(resident[-third:]),
                        max(resident[:third]) + GROWTH_KIB)
        harness.wait_for("the descriptors of the start", lambda:
                         open_descriptors(self.server) <= quiet)


if __name__ == "__main__":
    unittest.main()
