"""The guarantees of a server while Redis does not answer."""

import os
import time
import unittest

from harness import (PATIENCE_S, ProcessTest, Server, let_time_pass,
                     wait_for)
from redis_harness import (Load, Proxy, Redis, quantile_ms, resident_kib,
                           wait_until_ready)

# The environment can set a longer outage.
OUTAGE_S = float(os.environ.get("OUTAGE_S", "10"))
# Small enough to show a leak of a hundred bytes in each call.
GROWTH_KIB = 6 * 1024

CONFIG = """
domain: outage
descriptors:
  - key: error
    rate_limit: {window: 365d, requests_per_unit: 4000000000}
  - key: allow
    rate_limit: {window: 365d, requests_per_unit: 3, on_backend_error: allow,
                 algorithm: sliding_window}
  - key: local
    rate_limit: {window: 365d, requests_per_unit: 100, on_backend_error: local}
"""


class OutageTest(ProcessTest):
    def setUp(self):
        super().setUp()
        self.config = self.write("outage.yaml", CONFIG)
        self.redis = self.start_redis("redis")

    def start_redis(self, name):
        redis = Redis(self.folder / name)
        self.addCleanup(redis.stop)
        return redis

    def start(self, url=None, **environment):
        server = self.start_server("--config", self.config, "--redis-url",
                                   url or self.redis.url,
                                   environment=environment)
        wait_until_ready(server)
        return server

    def ask(self, server, key):
        return server.ask((key, "x"), domain="outage")[0]

    def hang(self, server):
        """Pauses Redis; returns when the server has noticed."""
        self.redis.pause()
        self.addCleanup(self.redis.resume)
        wait_for("an answer without Redis", lambda:
                 self.ask(server, "error") == 503)

    def test_memory_stays_flat_at_full_load(self):
        servers = [self.start() for _ in range(2)]
        plan = [("outage", f"{key}=user{i}") for i in range(100)
                for key in ("error", "allow", "local")]
        self.redis.pause()
        # No pause after an error: as many calls as the machine can send.
        load = Load(self.folder, servers, plan, pause_ms=0)
        let_time_pass(2, "load until the memory has reached its level")
        before = sum(map(resident_kib, servers))
        let_time_pass(OUTAGE_S, "the outage")
        growth = sum(map(resident_kib, servers)) - before
        records = load.stop()
        self.redis.resume()
        print(f"\n{len(records) / (OUTAGE_S + 2):.0f} answers a second, p50 "
              f"{quantile_ms(records, 0.5):.2f} ms, p99 "
              f"{quantile_ms(records, 0.99):.2f} ms, the longest "
              f"{quantile_ms(records, 1):.1f} ms; {growth} KiB more memory")
        self.assertLess(growth, GROWTH_KIB)
        for server in servers:
            wait_until_ready(server)

    def test_local_counts_a_replicas_share(self):
        servers = [self.start(REPLICAS="2") for _ in range(2)]
        for server in servers:
            self.hang(server)
            answers = [self.ask(server, "local") for _ in range(60)]
            self.assertEqual(answers, [200] * 50 + [429] * 10)

    def test_a_charge_is_never_sent_twice(self):
        proxy = Proxy((self.redis.host, self.redis.port))
        self.addCleanup(proxy.stop)
        proxy.delay_s = 0.05
        server = self.start(proxy.url)
        asked = 0
        for mode in (proxy.slow, proxy.cut, proxy.drop, proxy.half_open) * 5:
            wait_until_ready(server)
            proxy.mode = mode
            self.assertEqual(self.ask(server, "error"), 503)
            asked += 1
            # Bytes that the proxy held back arrive now or never.
            proxy.mode = proxy.forward
        # On a busy machine these may time out too; then they may be charged.
        answered = False
        while not answered:
            wait_until_ready(server)
            answered = self.ask(server, "error") == 200
            asked += 1
        [(charged, _)] = self.redis.keys().values()
        lost_on_the_way = 5  # of half_open
        # Fewer if a busy machine refused a call before it sent a command.
        self.assertLessEqual(int(charged), asked - lost_on_the_way)
        self.assertGreater(int(charged), 0)

    def test_a_replica_is_never_asked(self):
        servers = [self.start() for _ in range(2)]
        other = self.start_redis("other")
        other.command("REPLICAOF", self.redis.host, self.redis.port)
        for _ in range(3):
            self.assertEqual(self.ask(servers[0], "allow"), 200)
        self.assertEqual(self.ask(servers[0], "allow"), 429)
        wait_for("the replica's copy", lambda: other.command("DBSIZE") == 1)
        other.command("REPLICAOF", "NO", "ONE")
        self.redis.command("REPLICAOF", other.host, other.port)
        # The second server does not know yet that the counter is exhausted.
        self.assertEqual(self.ask(servers[1], "allow"), 200)

    def test_a_server_ends_while_redis_hangs(self):
        proxy = Proxy((self.redis.host, self.redis.port))
        self.addCleanup(proxy.stop)
        server = Server("--config", self.config, "--redis-url", proxy.url,
                        environment={"REDIS_TIMEOUT": f"{PATIENCE_S}s",
                                     "DRAIN_TIME": "1s"})
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.stop)
        wait_until_ready(server)
        self.redis.pause()
        self.addCleanup(self.redis.resume)
        load = Load(self.folder, [server], [("outage", "error=x")], calls=64)
        wait_for("a script call that hangs", lambda: proxy.script_calls > 0)
        begin = time.monotonic()
        # It has not answered its calls.
        self.assertEqual(server.stop(), 3)
        self.assertIn("it waited for calls in flight", server.log())
        self.assertLess(time.monotonic() - begin, PATIENCE_S / 2)
        self.assertEqual({record.code for record in load.wait()} & {0}, set())

    def test_a_server_starts_without_redis(self):
        self.redis.kill()
        server = self.start_server("--config", self.config, "--redis-url",
                                   self.redis.url)
        # The rules decide about the calls, so the server is ready.
        status, body = server.get("/ready")
        self.assertEqual(status, 200)
        self.assertIn("store: no connection to Redis", body)
        self.assertEqual(self.ask(server, "error"), 503)
        self.assertEqual(self.ask(server, "allow"), 200)
        self.redis.start()
        wait_until_ready(server)
        self.assertEqual(self.ask(server, "error"), 200)


if __name__ == "__main__":
    unittest.main()
