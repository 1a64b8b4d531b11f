"""The first call after the start finds a connection to Redis."""

import unittest

import harness
from certificates import Certificates
from redis_harness import Redis

STARTS = 20

RULES = """
domain: default
descriptors:
  - key: user
    rate_limit: {unit: hour, requests_per_unit: 1000000}
"""

# A port that refuses connections.
NOWHERE = "127.0.0.1:1"


class FirstCallTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.rules = self.write("rules.yaml", RULES)

    def start(self, redis, **environment):
        return self.start_server("--config", self.rules, environment={
            "REDIS_URL": redis, "GRPC_THREADS": "4", **environment})

    def start_redis(self, *arguments, **options):
        redis = Redis(self.folder / "redis", *arguments, **options)
        self.addCleanup(redis.stop)
        return redis

    # A call over TLS once failed after 10 of 20 starts.
    def test_the_first_call_succeeds_over_tls(self):
        certificates = Certificates(self.folder, "redis")
        certificate, key = certificates.issue("server", "IP:127.0.0.1")
        port = harness.free_port()
        self.start_redis("--tls-port", str(port), "--tls-cert-file", certificate,
                         "--tls-key-file", key, "--tls-ca-cert-file",
                         certificates.ca, "--tls-auth-clients", "no")
        answers = []
        for _ in range(STARTS):
            server = self.start(
                f"rediss://127.0.0.1:{port}", REDIS_TIMEOUT="30s",
                REDIS_TLS_CACERT=str(certificates.ca))
            answers.append(server.ask(("user", "ann"))[0])
            self.assertEqual(server.stop(), 0)
        self.assertEqual(answers, [200] * STARTS)

    def test_the_first_call_succeeds(self):
        redis = self.start_redis()
        for transport in ("lean", "grpc"):
            server = self.start(redis.url, REDIS_TIMEOUT="30s",
                                GRPC_TRANSPORT=transport)
            self.assertEqual(server.ask(("user", "ann"))[0], 200)

    def test_a_redis_that_is_away_is_not_waited_for(self):
        server = self.start(NOWHERE, REDIS_TIMEOUT="1h")
        self.assertEqual(server.ask(("user", "ann"))[0], 503)
        self.assertEqual(server.get("/healthcheck"), (200, "OK"))
        status, body = server.get("/ready")
        self.assertEqual(status, 200)
        self.assertIn("store: no connection to Redis: ", body)
        self.assertIn("ratelimitd_store_ready 0", server.get("/metrics")[1])

    def test_the_reason_is_the_one_that_redis_gives(self):
        redis = self.start_redis("--requirepass", "secret")
        server = self.start(redis.url, REDIS_AUTH="wrong")
        self.assertEqual(server.get("/healthcheck"), (200, "OK"))
        status, body = server.get("/ready")
        self.assertEqual(status, 200)
        self.assertIn("WRONGPASS", body)
        self.assertNotIn("no answer", body)
        health = self.run_program(
            harness.GRPCURL, "-plaintext", server.grpc,
            "grpc.health.v1.Health/Check").stdout
        self.assertIn('"SERVING"', health)


if __name__ == "__main__":
    unittest.main()
