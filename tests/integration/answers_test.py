"""Modes and answers of envoyproxy/ratelimit, with counters in memory and in
Redis."""

import contextlib
import http.client
import json
import time
import unittest

import harness
import redis_harness

RULES = """\
domain: shop
descriptors:
  - key: user
    rate_limit: {unit: day, requests_per_unit: 2}
    metadata: {team: {name: a, level: 1}, tags: [x]}
  - key: quiet
    rate_limit: {unit: day, requests_per_unit: 9}
    metadata: {team: {name: b, zone: z}}
  - key: never
    rate_limit: {unit: day, requests_per_unit: 0}
  - key: address
    rate_limit: {unit: day, requests_per_unit: 2}
    ipv4_prefix: 24
  - key: card
    secret: true
    rate_limit: {unit: day, requests_per_unit: 9}
"""
DAY_S = 86400


def entries(*pairs, **more):
    return {"entries": [{"key": key, "value": value} for key, value in pairs],
            **more}


class AnswersTest(harness.ProcessTest):
    def servers(self, **environment):
        """A server for each kind of store, one after the other."""
        rules = self.write("rules.yaml", RULES)
        redis = redis_harness.Redis(self.folder / "redis")
        self.addCleanup(redis.stop)
        for arguments in ((), ("--redis-url", redis.url)):
            server = self.start_server(
                "--config", rules, *arguments,
                environment={"REDIS_TIMEOUT": "5s", **environment})
            look = entries(("quiet", "look"), hitsAddend=0)
            harness.wait_for("the store", lambda: self.ask(
                server, look)[0] == 200)
            yield server

    def post(self, server, body):
        connection = http.client.HTTPConnection(
            server.http, timeout=harness.PATIENCE_S)
        with contextlib.closing(connection):
            text = body if isinstance(body, str) else json.dumps(body)
            connection.request("POST", "/json", text)
            response = connection.getresponse()
            answer = response.read().decode()
        with contextlib.suppress(ValueError):
            answer = json.loads(answer)
        return response.status, answer

    def ask(self, server, *descriptors, **more):
        return self.post(server, {"domain": "shop",
                                  "descriptors": descriptors, **more})

    def test_shadow_mode_refuses_nothing_and_keeps_the_codes(self):
        for server in self.servers(SHADOW_MODE="true"):
            for _ in range(3):
                status, answer = self.ask(
                    server, entries(("user", "a")), entries(("quiet", "a")))
            self.assertEqual((status, answer["overallCode"]), (200, "OK"))
            self.assertEqual(answer["statuses"][0]["code"], "OVER_LIMIT")
            self.assertEqual(answer["statuses"][1]["limitRemaining"], 6)
            self.assertIn("ratelimitd_global_shadow_mode_total 1",
                          server.get("/metrics")[1])

    def test_quota_mode_refuses_when_all_descriptors_are_over(self):
        for server in self.servers(QUOTA_MODE="true"):
            status, _ = self.ask(server, entries(("never", "")))
            self.assertEqual(status, 429)
            status, answer = self.ask(server, entries(("never", "")),
                                      entries(("quiet", "a")))
            self.assertEqual(status, 200)
            self.assertEqual(answer["statuses"][1]["limitRemaining"], 8)

    def test_the_accounting_of_the_process_is_that_of_the_file(self):
        for stops, remaining in (("false", 8), ("true", 9)):
            for server in self.servers(
                    RATELIMIT_ACCOUNTING="independent",
                    STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT=stops):
                status, answer = self.ask(server, entries(("never", "")),
                                          entries(("quiet", stops)))
                self.assertEqual(status, 429)
                self.assertEqual(answer["statuses"][1]["limitRemaining"],
                                 remaining)

    def test_a_charge_that_never_fits_resets_with_its_window(self):
        for server in self.servers():
            for descriptor, hits in ((("never", ""), 1), (("user", "x"), 3)):
                before = time.time()
                status, answer = self.ask(server, entries(descriptor),
                                          hitsAddend=hits)
                after = time.time()
                self.assertEqual(status, 429)
                found = int(answer["statuses"][0]["durationUntilReset"][:-1])
                left = [DAY_S - int(now) % DAY_S for now in (before, after)]
                if left[1] > left[0]:
                    continue  # a day has begun meanwhile
                self.assertIn(found, range(left[1] - 1, left[0] + 2))

    def test_an_override_needs_a_known_domain_only(self):
        limit = {"requestsPerUnit": 1, "unit": "WEEK"}
        for server in self.servers():
            for descriptor in (entries(), entries(("no", "rule"))):
                descriptor["limit"] = limit
                found = [self.ask(server, descriptor) for _ in range(2)]
                self.assertEqual([status for status, _ in found], [200, 429])
                self.assertEqual(
                    found[0][1]["statuses"][0]["currentLimit"],
                    {"requestsPerUnit": 1, "unit": "WEEK"})
            self.assertEqual(self.post(server, {
                "domain": "unknown", "descriptors": [descriptor]})[0], 200)

    def test_json_that_is_no_request_is_answered_400(self):
        for server in self.servers():
            for body in ('{"domain": "shop", "descriptors": {}}',
                         '{"domain": "shop", "domain": "a", "descriptors": '
                         '[{}]}',
                         '{"domain": "shop", "descriptors": [{}], "more": 1}',
                         '{"domain": "shop"}', "", "x"):
                self.assertEqual(self.post(server, body)[0], 400, body)
            self.assertEqual(self.ask(server, entries(("", "v")))[0], 200)

    def test_dynamic_metadata_has_the_request_and_the_rules(self):
        for server in self.servers(RESPONSE_DYNAMIC_METADATA="true"):
            _, answer = self.ask(
                server, entries(("user", "a"), hitsAddend=1),
                entries(("quiet", "b")), hitsAddend=2)
            found = answer["dynamicMetadata"]
            self.assertEqual(found["domain"], "shop")
            self.assertEqual(found["hitsAddend"], 2)
            self.assertEqual(found["descriptors"], [
                {"entries": ["user=a"], "hitsAddend": 1},
                {"entries": ["quiet=b"]}])
            self.assertEqual(found["metadata"], {
                "team": {"name": "a", "level": 1, "zone": "z"},
                "tags": ["x"]})
            self.assertEqual((found["rule"], found["limit"]), ("user", 2))
            _, answer = self.post(server, {
                "domain": "unknown", "descriptors": [entries(("a", "b"))]})
            self.assertEqual(answer["dynamicMetadata"], {
                "domain": "unknown", "descriptors": [{"entries": ["a=b"]}]})

    def test_dynamic_metadata_shows_no_secret(self):
        for server in self.servers(RESPONSE_DYNAMIC_METADATA="true"):
            _, answer = self.ask(
                server, entries(("card", "hidden-1")),
                # No rule matches these.
                entries(("api_key", "hidden-2"), ("card", "hidden-3")),
                entries(("user", "a"), ("card", "hidden-4")))
            found = json.dumps(answer["dynamicMetadata"])
            self.assertNotIn("hidden", found)
            self.assertIn("user=a", found)

    def test_addresses_of_one_network_share_a_counter(self):
        for server in self.servers():
            found = [self.ask(server, entries(("address", address)))[0]
                     for address in ("203.0.113.1", "203.0.113.2:80",
                                     "203.0.113.3", "203.0.114.1")]
            self.assertEqual(found, [200, 200, 429, 200])


if __name__ == "__main__":
    unittest.main()
