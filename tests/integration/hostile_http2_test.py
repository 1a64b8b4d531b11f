"""Attacks on the gRPC port beside a well-behaved client on the same loop."""

import pathlib
import re
import ssl
import subprocess
import sys
import unittest

import harness
import http2_attacks
from certificates import Certificates, serve_tls

ONE_LOOP = {"GRPC_THREADS": "1"}
CALLS = 300
# The peak of the resident memory during any of these attacks.
MAX_RESIDENT_MIB = 128
ENDED = r'ratelimitd_http2_ended_connections_total\{reason="%s"\} (\d+)'
REFUSED = r'ratelimitd_http2_refused_calls_total\{reason="%s"\} (\d+)'
TOO_MANY = (r'ratelimitd_connections_refused_total'
            r'\{port="grpc",reason="%s"\} (\d+)')


def peak_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


class HostileTest(harness.ProcessTest):
    def start(self, descriptors=None, **environment):
        return self.start_server(
            "--config", harness.RECIPE, "--transport", "lean",
            environment={**ONE_LOOP, **environment}, descriptors=descriptors)

    def value(self, server, series):
        found = re.search(series, server.get("/metrics")[1])
        return int(found[1]) if found else 0

    def attack(self, server, name):
        attacker = subprocess.Popen(
            [sys.executable, "-B", http2_attacks.__file__, name, server.grpc],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(attacker.stdout.close)
        self.addCleanup(attacker.wait)
        self.addCleanup(attacker.kill)
        # The attack has begun.
        self.assertTrue(attacker.stdout.readline())
        return attacker

    def check(self, name, *seen, server=None, tls=None):
        """All calls of the client are answered while the attack goes on, until
        the server has counted it in each of the series `seen`."""
        server = server or self.start()
        client = http2_attacks.GoodClient(server.grpc, tls)
        self.addCleanup(client.socket.close)
        for _ in range(CALLS):
            self.assertTrue(client.call())
        quiet_ms = client.quantile_ms(0.99)
        client.taken_s.clear()
        attacker = self.attack(server, name)
        for _ in range(CALLS):
            self.assertTrue(client.call())
        for series in seen:
            harness.wait_for(series, lambda: client.call() and
                             self.value(server, series) > 0)
        self.assertIsNone(attacker.poll())
        peak = peak_mib(server.process)
        print(f"{name}: p99 {client.quantile_ms(0.99):.1f} ms, "
              f"{quiet_ms:.1f} ms before; at most {peak:.0f} MiB")
        self.assertLess(peak, MAX_RESIDENT_MIB)

    def test_settings(self):
        self.check("settings", ENDED % "frames")

    def test_priorities(self):
        self.check("priority", ENDED % "frames")

    def test_header_bombs(self):
        self.check("hpack", REFUSED % "headers")

    def test_unfinished_requests_on_a_few_connections(self):
        self.check("unfinished", REFUSED % "streams")

    def test_unfinished_requests_on_many_connections(self):
        self.check("unfinished_on_many", ENDED % "streams")

    def test_unfinished_bodies(self):
        self.check("bodies", REFUSED % "request_bytes")

    def test_rapid_resets(self):
        self.check("rapid_reset", ENDED % "frames")

    def test_continuations(self):
        self.check("continuations", ENDED % "protocol")

    def test_reflection_whose_answers_are_not_read(self):
        self.check("reflection", ENDED % "frames")

    def test_pings(self):
        self.check("pings", ENDED % "frames")

    def test_empty_data(self):
        self.check("empty_data", ENDED % "frames")

    def test_window_updates(self):
        self.check("windows", ENDED % "frames")

    def test_unknown_frames(self):
        self.check("unknown", ENDED % "frames")

    def test_handshakes(self):
        certificates = Certificates(self.folder, "own")
        tls = ssl.create_default_context(cafile=certificates.ca)
        tls.check_hostname = False
        self.check("handshakes", tls=tls,
                   server=self.start(**dict(serve_tls(certificates))))

    def test_connections_beyond_the_bound_of_a_peer(self):
        self.check("connections", TOO_MANY % "peer",
                   server=self.start(MAX_CONNECTIONS="1000",
                                     MAX_CONNECTIONS_PER_PEER="500"))

    # The port has its share of the descriptors, and no more.
    def test_health_is_served_while_the_port_has_all_its_connections(self):
        server = self.start(descriptors=256)
        self.attack(server, "connections")
        harness.wait_for("refused connections", lambda: self.value(
            server, TOO_MANY % "total"))
        for _ in range(20):
            self.assertEqual(server.get("/live")[0], 200)
        self.assertEqual(self.value(
            server, r'ratelimitd_accept_failures_total\{port="grpc"\} (\d+)'),
                         0)


if __name__ == "__main__":
    unittest.main()
