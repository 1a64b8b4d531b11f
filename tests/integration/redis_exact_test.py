"""Counters in Redis are exact for any number of servers.

The tests count every answered call: the admitted units never exceed a limit,
and no call is refused before its limit is reached. A call without an answer may
have been charged or not; it counts as unknown.
"""

import collections
import random
import signal
import time
import unittest

from harness import (CTL, FREE_PORTS, PATIENCE_S, ProcessTest, Server,
                     let_time_pass, wait_for)
from redis_harness import (Load, Redis, end_ns, metric, result,
                           wait_until_ready)

SERVERS = 4
STREAMS = 64
CALLS = 200_000
CALLS_WITH_FAULTS = 100_000
KILLS = 3
SEED = 20_240_229

LIMITS = {"hot": 3000, "slide": 2000, "user": 5}
HOT_KEYS = 8
USERS = 20_000

# Windows that end after every test, except `short`.
CONFIG = """
domain: {domain}
accounting: {accounting}
descriptors:
  - key: hot
    rate_limit: {{window: 365d, requests_per_unit: {hot}}}
  - key: slide
    rate_limit: {{window: 365d, requests_per_unit: {slide},
                 algorithm: sliding_window}}
  - key: user
    rate_limit: {{window: 365d, requests_per_unit: {user}}}
  - key: refundable
    rate_limit: {{window: 365d, requests_per_unit: 2, refundable: true}}
  - key: short
    rate_limit: {{window: 2s, requests_per_unit: {short}}}
"""
SHORT_LIMIT = 1000
SHORT_S = 2

# An exact count needs every answer, also on a busy machine.
PATIENT = {"REDIS_TIMEOUT": f"{PATIENCE_S}s"}


def make_plan(domain, number):
    """Requests for one or two counters, hot and random."""
    dice = random.Random(SEED)
    names = ["hot", "slide", "user"]
    plan = []
    for _ in range(number):
        chosen = dice.choices(names, (3, 1, 4))
        if dice.random() < 0.2:
            chosen = dice.sample(names, 2)
        plan.append((domain, *(
            f"{name}={dice.randrange(USERS if name == 'user' else HOT_KEYS)}"
            for name in chosen)))
    return plan


class Count:
    """The answers for one counter, in units."""

    def __init__(self):
        self.admitted = 0
        self.refused = 0
        self.unknown = 0


def count(plan, records, independent):
    """Counter -> Count."""
    counts = collections.defaultdict(Count)
    for record in records:
        for i, name in enumerate(plan[record.line][1:]):
            if record.code != 0:
                counts[name].unknown += 1
            elif record.refused >> i & 1:
                counts[name].refused += 1
            elif independent or result(record) == "OK":
                counts[name].admitted += 1
    return counts


class RedisTest(ProcessTest):
    def setUp(self):
        super().setUp()
        self.socket = self.folder / "redis.socket"
        self.redis = Redis(self.folder / "redis", "--unixsocket", self.socket)
        self.addCleanup(self.redis.stop)

    def configure(self, accounting="all_or_nothing"):
        self.config = self.write("config/exact.yaml", CONFIG.format(
            domain="exact", accounting=accounting, short=SHORT_LIMIT,
            **LIMITS))

    def start_one(self, url=None, **options):
        server = self.start_server("--config", self.config, "--redis-url",
                                   url or self.redis.url, environment=PATIENT,
                                   **options)
        wait_until_ready(server)
        return server

    def start(self, number=SERVERS):
        self.servers = [self.start_one() for _ in range(number)]


class ExactTest(RedisTest):
    def load(self, calls, **options):
        """Starts a load of `calls` calls. `options` may replace the number."""
        self.plan = make_plan("exact", calls)
        return Load(self.folder, self.servers, self.plan, streams=STREAMS,
                    **{"calls": calls, **options})

    def check(self, records, independent=False):
        """Checks that units never exceed the limit, and that no call is refused
        before the limit is reached."""
        counts = count(self.plan, records, independent)
        for name, one in counts.items():
            limit = LIMITS[name.split("=")[0]]
            self.assertLessEqual(one.admitted, limit, name)
            if one.refused:
                self.assertGreaterEqual(one.admitted + one.unknown, limit,
                                        name)
        return counts

    def check_complete(self, records, independent=False):
        """Like check(). Also checks that every call was answered."""
        self.assertEqual({r.code for r in records}, {0})
        counts = self.check(records, independent)
        print(f"\n{len(counts)} counters, "
              f"{sum(one.refused > 0 for one in counts.values())} of them "
              f"exhausted; {sum(one.admitted for one in counts.values())} "
              f"units admitted, "
              f"{sum(one.refused for one in counts.values())} refused")
        self.assertGreater(sum(one.refused == 0 for one in counts.values()),
                           100, "too few counters below their limits")
        self.assertGreater(sum(one.refused > 0 for one in counts.values()),
                           100, "too few exhausted counters")
        return counts

    def units_in_redis(self):
        """The units of the plain counters in Redis. Also checks that each key
        expires."""
        total = 0
        for name, (value, expires_ms) in self.redis.keys().items():
            self.assertGreater(expires_ms, 0, name)
            if value.isdigit():
                total += int(value)
        return total

    def plain_units(self, counts):
        return sum(one.admitted for name, one in counts.items()
                   if not name.startswith("slide"))

    def test_all_or_nothing(self):
        self.configure()
        self.start()
        load = self.load(CALLS)
        counts = self.check_complete(load.wait())
        print(load.summary)
        self.assertEqual(self.units_in_redis(), self.plain_units(counts))

    def test_independent(self):
        self.configure("independent")
        self.start()
        load = self.load(CALLS)
        counts = self.check_complete(load.wait(), independent=True)
        print(load.summary)
        for name, one in counts.items():
            limit = LIMITS[name.split("=")[0]]
            self.assertEqual(one.admitted,
                             min(one.admitted + one.refused, limit), name)

    def test_each_window_admits_its_limit(self):
        self.configure()
        self.start()
        self.plan = [("exact", f"short={i}") for i in range(2)]
        let_time_pass(SHORT_S - time.time() % SHORT_S,
                      "the rest of a window")
        offset_ns = time.time_ns() - time.monotonic_ns()
        load = Load(self.folder, self.servers, self.plan, streams=STREAMS,
                    rate=8 * SHORT_LIMIT * len(self.plan) / SHORT_S)
        let_time_pass(3.5 * SHORT_S, "three windows and half of the fourth")
        records = load.stop()
        window_ns = SHORT_S * 10**9
        surely, maybe = collections.Counter(), collections.Counter()
        windows = set()
        for record in records:
            self.assertEqual(record.code, 0)
            first = (record.start_ns + offset_ns) // window_ns
            last = (end_ns(record) + offset_ns) // window_ns
            windows |= {first, last}
            if result(record) == "OK":
                where = surely if first == last else maybe
                for window in {first, last}:
                    where[window, record.line] += 1
        for window in sorted(windows)[1:-1]:
            for line in range(len(self.plan)):
                least = surely[window, line]
                self.assertLessEqual(least, SHORT_LIMIT)
                self.assertGreaterEqual(least + maybe[window, line],
                                        SHORT_LIMIT)
        self.assertGreaterEqual(len(windows), 4)

    def test_flushed_scripts_lose_nothing(self):
        self.configure()
        self.start()
        load = self.load(CALLS_WITH_FAULTS)
        flushes = 0
        while load.process.poll() is None:
            self.redis.command("SCRIPT", "FLUSH")
            flushes += 1
            let_time_pass(0.05, "calls between two flushes")
        counts = self.check_complete(load.wait())
        self.assertGreater(flushes, 10)
        self.assertEqual(self.units_in_redis(), self.plain_units(counts))

    def test_a_killed_replica_loses_only_what_was_on_its_way(self):
        self.configure()
        self.start(SERVERS - 1)
        victim = self.start_victim(FREE_PORTS)
        self.servers.append(victim)
        load = self.load(CALLS_WITH_FAULTS)
        addresses = ("--grpc-address", victim.grpc, *FREE_PORTS[2:])
        for _ in range(KILLS):
            wait_for("answers of the victim", lambda: metric(
                [victim], 'ratelimitd_requests_total{grpc_code="OK"}') > 0)
            victim.process.kill()
            victim.process.wait(PATIENCE_S)
            victim.process.stdout.close()
            victim = self.start_victim(addresses)
        back_ns = time.monotonic_ns()
        records = load.wait()
        counts = self.check(records)
        lost = self.units_in_redis() - self.plain_units(counts)
        print(f"\n{KILLS} kills: {lost} units were charged without an answer, "
              f"{sum(record.code != 0 for record in records)} calls had none")
        self.assertGreaterEqual(lost, 0)
        # A request has at most two units.
        self.assertLessEqual(lost, 2 * KILLS * STREAMS / SERVERS)
        self.assertTrue(any(record.server == SERVERS - 1 and record.code == 0
                            and record.start_ns > back_ns
                            for record in records), "it never came back")

    def start_victim(self, addresses):
        """A server that the test kills. Its exit status is not checked."""
        victim = Server("--config", self.config, "--redis-url", self.redis.url,
                        environment=PATIENT, addresses=addresses)
        self.addCleanup(victim.stderr.close)
        self.addCleanup(victim.stop)
        return victim

    def test_cut_connections_lose_only_what_was_on_its_way(self):
        self.configure()
        self.start()
        load = self.load(CALLS_WITH_FAULTS)
        cuts = 0
        while load.process.poll() is None:
            self.redis.command("CLIENT", "KILL", "TYPE", "normal")
            cuts += 1
            let_time_pass(0.2, "calls between two cuts")
        records = load.wait()
        counts = self.check(records)
        lost = self.units_in_redis() - self.plain_units(counts)
        unknown = sum(record.code != 0 for record in records)
        print(f"\n{cuts} cuts: {lost} units were charged without an answer, "
              f"{unknown} calls had none")
        self.assertGreater(cuts, 5)
        self.assertGreaterEqual(lost, 0)
        self.assertLessEqual(lost, 2 * STREAMS * cuts)


class SharedLimitTest(RedisTest):
    """Few calls, to see the effect of one server on the others."""

    def ask_both(self, servers, key, number):
        """The statuses of `number` calls, to the servers in turn."""
        return [servers[i % 2].ask((key, "alice"), domain="exact")[0]
                for i in range(number)]

    def test_two_replicas_share_one_limit(self):
        self.configure()
        servers = [self.start_one(),
                   self.start_one(url=f"unix://{self.socket}")]
        self.assertEqual(self.ask_both(servers, "user", 8),
                         [200] * LIMITS["user"] + [429] * 3)

    def test_a_refund_reaches_the_replica_that_has_refused(self):
        self.configure()
        servers = [self.start_one() for _ in range(2)]
        self.assertEqual(self.ask_both(servers, "refundable", 6),
                         [200] * 2 + [429] * 4)
        self.run_program(CTL, "check", "--address", servers[0].grpc,
                         "--domain", "exact", "--descriptor",
                         "refundable=alice", "--hits", "-1")
        self.assertEqual(
            servers[1].ask(("refundable", "alice"), domain="exact")[0], 200)
        self.assertEqual(self.ask_both(servers, "refundable", 2), [429] * 2)

    def test_a_raised_limit_counts_at_once(self):
        self.configure()
        servers = [self.start_one() for _ in range(2)]
        self.assertEqual(self.ask_both(servers, "user", 8),
                         [200] * LIMITS["user"] + [429] * 3)
        self.config.write_text(self.config.read_text().replace(
            f"requests_per_unit: {LIMITS['user']}}}",
            f"requests_per_unit: {LIMITS['user'] + 2}}}"))
        for server in servers:
            server.process.send_signal(signal.SIGHUP)
            wait_for("the new rules", lambda: f"limit={LIMITS['user'] + 2} " in
                     server.get("/rlconfig", server.debug)[1])
        self.assertEqual(self.ask_both(servers, "user", 4),
                         [200] * 2 + [429] * 2)


if __name__ == "__main__":
    unittest.main()
