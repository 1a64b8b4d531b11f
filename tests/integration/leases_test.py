"""Four processes lease units of one counter from a real Redis
(docs/LEASES.md)."""

import signal
import unittest

from harness import FREE_PORTS, PATIENCE_S, ProcessTest, Server, wait_for
from redis_harness import Load, Redis, metric, result, wait_until_ready

SERVERS = 4
STREAMS = 64
LIMIT = 50_000
SHARE = LIMIT // 20  # max_share: 5%
CALLS = 200_000
# For the comparison with and without leases.
HOT_CALLS = 40_000
HOT_STREAMS = 8

CONFIG = f"""
domain: leases
descriptors:
  - key: hot
    rate_limit: {{window: 365d, requests_per_unit: {LIMIT},
                 lease: {{max_share: 5%, ttl: 1s}}}}
  - key: leased
    rate_limit: {{window: 365d, requests_per_unit: 100000000, lease: {{ttl: 1s}}}}
  - key: plain
    rate_limit: {{window: 365d, requests_per_unit: 100000000}}
"""

# Long enough for a busy machine.
PATIENT = {"REDIS_TIMEOUT": f"{PATIENCE_S}s"}


class LeasesTest(ProcessTest):
    def setUp(self):
        super().setUp()
        self.redis = Redis(self.folder / "redis")
        self.addCleanup(self.redis.stop)
        self.config = self.write("config/leases.yaml", CONFIG)

    def start_one(self):
        server = self.start_server("--config", self.config, "--redis-url",
                                   self.redis.url, environment=PATIENT)
        wait_until_ready(server)
        return server

    def start_victim(self):
        """A server that the test kills. Its exit status is not checked."""
        victim = Server("--config", self.config, "--redis-url", self.redis.url,
                        environment=PATIENT, addresses=FREE_PORTS)
        self.addCleanup(victim.stderr.close)
        self.addCleanup(victim.stop)
        wait_until_ready(victim)
        return victim

    def units_in_redis(self):
        values = self.redis.keys().values()
        self.assertEqual(len(values), 1)
        return sum(int(value) for value, _ in values)

    def test_replicas_together_admit_the_limit_and_never_more(self):
        servers = [self.start_one() for _ in range(SERVERS)]
        load = Load(self.folder, servers, [("leases", "hot=all")],
                    streams=STREAMS, calls=CALLS)
        records = load.wait()
        self.assertEqual({record.code for record in records}, {0})
        admitted = sum(result(record) == "OK" for record in records)
        served = metric(servers, "ratelimitd_lease_answers_total")
        print(f"\n{admitted} of {LIMIT} admitted, {served:.0f} from leases")
        print(load.summary)
        self.assertLessEqual(admitted, LIMIT)
        self.assertGreaterEqual(admitted, LIMIT - SERVERS * SHARE)
        self.assertGreater(served, LIMIT / 2)
        # Unused units are returned, and Redis has counted each unit.
        wait_for("all that was leased to be back",
                 lambda: self.units_in_redis() == admitted)
        self.assertEqual(servers[0].ask(("hot", "all"), domain="leases")[0],
                         200 if admitted < LIMIT else 429)

    def test_a_killed_replica_takes_its_share_with_it_and_no_more(self):
        servers = [self.start_one() for _ in range(SERVERS - 1)]
        victim = self.start_victim()
        load = Load(self.folder, [*servers, victim], [("leases", "hot=all")],
                    streams=STREAMS, calls=CALLS)
        wait_for("leases of the victim", lambda: metric(
            [victim], "ratelimitd_lease_answers_total") > SHARE)
        victim.process.kill()
        victim.process.wait(PATIENCE_S)
        records = load.wait()
        admitted = sum(result(record) == "OK" for record in records)
        unknown = sum(record.code != 0 for record in records)
        wait_for("all of the others to be back", lambda: metric(
            servers, "ratelimitd_leased_units_total") > 0 and
            self.units_in_redis() <= admitted + SHARE + STREAMS)
        lost = self.units_in_redis() - admitted
        print(f"\n{admitted} of {LIMIT} admitted, {lost} units lost with the "
              f"victim, {unknown} calls without an answer")
        self.assertLessEqual(admitted, LIMIT)
        self.assertGreaterEqual(lost, 0)
        self.assertGreaterEqual(
            admitted, LIMIT - SERVERS * SHARE - STREAMS)

    def test_a_replica_that_ends_gives_back_what_it_holds(self):
        server = self.start_one()
        load = Load(self.folder, [server], [("leases", "hot=all")],
                    streams=1, calls=LIMIT // 10)
        admitted = sum(result(record) == "OK" for record in load.wait())
        self.assertEqual(admitted, LIMIT // 10)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(PATIENCE_S), 0)
        self.assertEqual(self.units_in_redis(), admitted)

    def calls_of_redis(self, servers, key):
        """(script calls, CPU time) of Redis for a load on one counter."""
        def cost():
            stats = self.redis.info("commandstats")
            calls = sum(int(stats[name].split("calls=")[1].split(",")[0])
                        for name in ("cmdstat_evalsha", "cmdstat_eval")
                        if name in stats)
            cpu = self.redis.info("cpu")
            return calls, sum(float(cpu[name]) for name in
                              ("used_cpu_user", "used_cpu_sys"))
        before = cost()
        load = Load(self.folder, servers, [("leases", f"{key}=all")],
                    streams=HOT_STREAMS, calls=HOT_CALLS)
        records = load.wait()
        self.assertEqual({result(record) for record in records}, {"OK"})
        after = cost()
        return after[0] - before[0], after[1] - before[1]

    def test_a_hot_counter_asks_redis_twenty_times_less_often(self):
        servers = [self.start_one() for _ in range(SERVERS)]
        plain, plain_s = self.calls_of_redis(servers, "plain")
        leased, leased_s = self.calls_of_redis(servers, "leased")
        print(f"\n{HOT_CALLS} decisions: {plain} script calls and "
              f"{plain_s:.2f} s of Redis' time without leases, {leased} and "
              f"{leased_s:.2f} s with them")
        self.assertLessEqual(20 * leased, plain)


if __name__ == "__main__":
    unittest.main()
