"""A log that nobody reads, clients and reloads that delay the end, and two
signals: the server goes on deciding, and SIGTERM ends it in time."""

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import harness
from redis_harness import Load, Redis, resident_kib

LIMIT = """\
domain: shop
descriptors:
  - key: path
    rate_limit: {unit: day, requests_per_unit: 1000000,
                 on_backend_error: allow}
"""
PER_USER = """\
domain: shop
descriptors:
  - key: user
    rate_limit: {unit: day, requests_per_unit: 2, on_backend_error: deny}
"""
BYTES_PER_COUNTER = 96
GROWTH_KIB = 12 * 1024  # of everything else under load, and of gRPC C++
DRAIN_S = 1
# What a busy machine may add to the promised second.
SLACK_S = 4


def full_pipe():
    """A pipe that accepts no byte."""
    reader, writer = os.pipe()
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    fcntl.fcntl(writer, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    fcntl.fcntl(writer, fcntl.F_SETFL, flags)
    return reader, writer


class UnluckyWorldTest(harness.ProcessTest):
    def start(self, *arguments, environment=None, stderr=None, stdout=None,
              addresses=harness.FREE_PORTS):
        process = subprocess.Popen(
            [harness.SERVER, *addresses, *map(str, arguments)],
            stdout=stdout or subprocess.PIPE,
            stderr=stderr or subprocess.PIPE, text=True,
            env={**os.environ, "DRAIN_TIME": f"{DRAIN_S}s",
                 **(environment or {})})
        self.addCleanup(process.kill)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                self.addCleanup(stream.close)
        return process

    def ready(self, process):
        """The HTTP address."""
        self.assertTrue(select.select([process.stdout], [], [],
                                      harness.PATIENCE_S)[0], "not ready")
        line = process.stdout.readline()
        match = re.match(r"ready grpc=\S+ http=(\S+) debug=\S+", line)
        self.assertTrue(match, line)
        return match.group(1)

    def end(self, process, expect=0):
        """Sends SIGTERM. Returns the seconds until the end."""
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(DRAIN_S + 1 + SLACK_S), expect)
        return time.monotonic() - begin

    def ask(self, address):
        host, port = address.rsplit(":", 1)
        answer = harness.send_request(
            int(port), method="POST", path="/json",
            body=b'{"domain": "shop", "descriptors": [{"entries": '
                 b'[{"key": "path", "value": "/a"}]}]}')
        return answer.status

    def get(self, address, path):
        answer = harness.send_request(int(address.rsplit(":", 1)[1]),
                                      method="GET", path=path)
        return answer.status, answer.body.decode()

    def test_a_log_that_nobody_reads_stops_nothing(self):
        reader, writer = full_pipe()
        self.addCleanup(os.close, reader)
        redis = Redis(self.folder / "redis")
        self.addCleanup(redis.stop)
        process = self.start("--config", self.write("limit.yaml", LIMIT),
                             "--redis-url", redis.url, "--log-level", "debug",
                             stderr=writer)
        os.close(writer)
        address = self.ready(process)
        redis.stop()
        # Each reload writes lines; so do the decisions without Redis.
        for _ in range(300):
            process.send_signal(signal.SIGHUP)
            self.assertEqual(self.ask(address), 200)
        self.assertIn("ratelimitd_log_lines_dropped_total",
                      self.get(address, "/metrics")[1])
        self.end(process)

    def test_a_ready_line_that_nobody_reads_stops_nothing(self):
        reader, writer = full_pipe()
        self.addCleanup(os.close, reader)
        port = harness.free_port()
        process = self.start(
            "--config", self.write("limit.yaml", LIMIT), stdout=writer,
            addresses=("--grpc-address", "127.0.0.1:0", "--http-address",
                       f"127.0.0.1:{port}", "--debug-address", "127.0.0.1:0"))
        os.close(writer)

        def answers():
            with contextlib.suppress(OSError):
                return self.ask(f"127.0.0.1:{port}") == 200
        harness.wait_for("an answer", answers)
        self.end(process)

    def test_made_up_keys_fill_no_more_than_their_memory(self):
        most_bytes = 24 << 20
        server = self.start_server(
            "--config", self.write("limit.yaml", PER_USER),
            environment={"MAX_COUNTER_BYTES": str(most_bytes)})
        self.assertEqual(server.ask(("user", "known"), domain="shop")[0], 200)
        before = resident_kib(server)
        # Twice as many users as fit.
        users = 2 * most_bytes // BYTES_PER_COUNTER
        plan = [("shop", *(f"user=made-up-{number}" for number in
                           range(first, first + 100)))
                for first in range(0, users, 100)]
        load = Load(self.folder, [server], plan, calls=len(plan), streams=16)
        codes = {record.code for record in load.wait()}
        # The configuration says `on_backend_error: deny` for what does not fit.
        self.assertEqual(codes, {0})
        self.assertLess(resident_kib(server) - before,
                        most_bytes // 1024 + GROWTH_KIB)
        # A request of many users left a few places, but no more.
        self.assertIn(429, [
            server.ask(("user", f"last-{number}"), domain="shop")[0]
            for number in range(101)])
        # Live counters are kept.
        self.assertEqual(server.ask(("user", "known"), domain="shop")[0], 200)
        self.assertEqual(server.ask(("user", "known"), domain="shop")[0], 429)
        self.assertRegex(server.get("/metrics")[1],
                         r'ratelimitd_degraded_total\{policy="deny"\} \d')

    def test_the_last_lines_are_written(self):
        process = self.start("--config", self.write("limit.yaml", LIMIT))
        self.ready(process)
        self.end(process)
        self.assertIn("draining", process.stderr.read())

    def test_slow_and_idle_clients_do_not_delay_the_end(self):
        process = self.start("--config", self.write("limit.yaml", LIMIT))
        address = self.ready(process)
        host, port = address.rsplit(":", 1)
        for sent in (b"", b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 99"
                     b"\r\n\r\n{"):
            client = socket.create_connection((host, int(port)))
            self.addCleanup(client.close)
            client.sendall(sent)
        # A header that goes on for ever, byte by byte.
        endless = socket.create_connection((host, int(port)))
        self.addCleanup(endless.close)
        endless.sendall(b"GET /live HTTP/1.1\r\nX: ")
        over = threading.Event()

        def send():
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    endless.sendall(b"x")
        sender = threading.Thread(target=send)
        sender.start()
        self.addCleanup(sender.join)
        self.addCleanup(over.set)
        self.ask(address)
        self.end(process)

    def test_a_reload_under_way_does_not_delay_the_end(self):
        config = self.write("limit.yaml", LIMIT)
        process = self.start("--config", config)
        address = self.ready(process)
        many = [LIMIT.rstrip()] + [
            f"  - {{key: path, value: /{number}, rate_limit: "
            "{unit: day, requests_per_unit: 5}}" for number in range(50_000)]
        self.write("limit.yaml", "\n".join(many))
        process.send_signal(signal.SIGHUP)
        self.assertEqual(self.ask(address), 200)
        self.end(process)


class ClockTest(harness.ProcessTest):
    """A server whose clock is set, with counters in memory."""

    WINDOW_S = 3600
    KINDS = {"fixed": "", "sliding": "algorithm: sliding_window",
             "bucket": "algorithm: token_bucket, burst: 1"}

    def set_clock(self, seconds):
        # In place: the server has mapped the file.
        with open(self.clock, "r+b") as clock:
            clock.write(struct.pack("<q", seconds * 10**9))

    def start(self):
        self.clock = self.folder / "clock"
        self.clock.write_bytes(bytes(8))
        # In the middle of a window.
        self.begin = 1_800_000_000 - 1_800_000_000 % self.WINDOW_S + 1000
        self.set_clock(self.begin)
        rules = "".join(
            f"  - key: {kind}\n    rate_limit: {{unit: hour, "
            f"requests_per_unit: 2, {more}}}\n"
            for kind, more in self.KINDS.items())
        return self.start_server(
            "--config",
            self.write("clock.yaml", f"domain: clock\ndescriptors:\n{rules}"),
            environment={"LD_PRELOAD": os.environ["FAKE_TIME"],
                         "RLS_FAKE_TIME_FILE": str(self.clock),
                         "ASAN_OPTIONS": "verify_asan_link_order=0"})

    def ask(self, server, kind, user):
        """Whether the request passes, and the seconds until the reset."""
        status, body = server.ask((kind, user), domain="clock")
        reset = json.loads(body)["statuses"][0]["durationUntilReset"]
        return status == 200, float(reset.rstrip("s"))

    def test_a_clock_set_forward_and_back_costs_at_most_one_window(self):
        server = self.start()
        for step in (2 * self.WINDOW_S, 25 * 3600, 10 * 365 * 86400):
            for kind in self.KINDS:
                with self.subTest(kind=kind, step=step):
                    user = f"{kind}{step}"
                    # A used sliding window resets with the next window.
                    longest = self.WINDOW_S * (2 if kind == "sliding" else 1)
                    self.set_clock(self.begin + step)
                    for _ in range(4):
                        passes, _ = self.ask(server, kind, user)
                    self.assertFalse(passes)
                    self.set_clock(self.begin)
                    passes, reset = self.ask(server, kind, user)
                    self.assertFalse(passes)
                    self.assertLessEqual(reset, longest)
                    self.set_clock(self.begin + longest)
                    self.assertTrue(self.ask(server, kind, user)[0])
                    self.set_clock(self.begin)


if __name__ == "__main__":
    unittest.main()
