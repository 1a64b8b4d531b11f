"""The statements of docs/MIGRATE.md about envoyproxy/ratelimit, with the real
server."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import time
import unittest

import yaml

import harness
from redis_harness import Redis

LIMIT = """\
domain: shop
descriptors:
  - key: user
    rate_limit: {unit: day, requests_per_unit: 2}
"""
NOWHERE = "redis://127.0.0.1:1"


def variables(status):
    """The variables of the table with this status."""
    page = (harness.ROOT / "docs/MIGRATE.md").read_text()
    rows = re.findall(rf"^\| (`[^|]*`) \| {status} \| ", page, re.M)
    return [name for row in rows for name in re.findall("`([A-Z_]+)`", row)]


class MigrateBase(harness.ProcessTest):
    def start(self, text=LIMIT, **environment):
        return self.start_server("--config", self.write("rules/a.yaml", text),
                                 environment=environment)

    def statuses(self, server, *hits, user="ann"):
        """The statuses of calls with these hits."""
        return [self.check(server, "--hits", str(number), user=user)
                for number in hits]

    def check(self, server, *more, user="ann"):
        done = subprocess.run(
            [harness.CTL, "check", "--address", server.grpc, "--domain", "shop",
             "--descriptor", f"user={user}", *more], capture_output=True,
            text=True, timeout=harness.PATIENCE_S)
        return done.returncode

    def call(self, server, hits):
        """The HTTP status of a call that costs this number of hits."""
        connection = http.client.HTTPConnection(server.http,
                                                timeout=harness.PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("POST", "/json", json.dumps({
                "domain": "shop", "hitsAddend": hits, "descriptors": [
                    {"entries": [{"key": "user", "value": "ann"}]}]}))
            return connection.getresponse().status

    def fail(self, expect, **environment):
        """The text of a server that ends at its start."""
        done = subprocess.run(
            [harness.SERVER, *harness.FREE_PORTS], capture_output=True,
            text=True, timeout=harness.PATIENCE_S,
            env={**os.environ, **environment})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stderr

    def refuse(self, text, reason):
        path = self.write("refused/a.yaml", text)
        done = self.run_program(harness.CTL, "validate-config", path, expect=1)
        self.assertRegex(done.stderr, rf"^{path}:\d+: .*{reason}")


class MigrateTest(MigrateBase):
    # Variables

    def test_ignored_variables_change_no_decision_and_are_named(self):
        names = variables("ignored")
        self.assertGreater(len(names), 10)
        # Good as a text, a boolean, a number and a duration.
        values = {name: "0" for name in names}
        server = self.start(**values)
        self.assertEqual(self.statuses(server, 1, 1, 1, 0), [0, 0, 1, 0])
        self.assertEqual(server.get("/healthcheck"), (200, "OK"))
        self.assertEqual(server.get("/metrics")[0], 200)
        log = server.log()
        for name in names:
            self.assertIn(f"{name} has no effect: ", log)

    def test_memcached_is_refused(self):
        self.assertIn("BACKEND_TYPE: found \"memcache\"",
                      self.fail(2, BACKEND_TYPE="memcache"))

    def test_a_folder_must_be_named_and_exist(self):
        self.assertIn("RUNTIME_ROOT", self.fail(2))
        for name, found in (("RUNTIME_SUBDIRECTORY", "no such value/config"),
                            ("RUNTIME_APPDIRECTORY", "no such value")):
            text = self.fail(1, RUNTIME_ROOT=str(self.folder),
                             **{name: "no such value"})
            self.assertIn(f"{self.folder}/{found}", text)

    def test_hosts_that_are_not_of_this_machine_end_the_start(self):
        config = self.write("rules/config/a.yaml", LIMIT).parent.parent
        for name in ("HOST", "GRPC_HOST", "DEBUG_HOST"):
            done = subprocess.run(
                [harness.SERVER], capture_output=True, text=True,
                timeout=harness.PATIENCE_S,
                env={**os.environ, "RUNTIME_ROOT": str(config), "HOST":
                     "127.0.0.1", "GRPC_HOST": "127.0.0.1", "PORT": "0",
                     "GRPC_PORT": "0", "DEBUG_PORT": "0", name: "203.0.113.1"})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("203.0.113.1", done.stderr)

    def test_tls_files_that_do_not_exist_end_the_start(self):
        self.write("rules/config/a.yaml", LIMIT)
        missing = str(self.folder / "missing.pem")
        for settings in ({"GRPC_SERVER_USE_TLS": "true",
                          "GRPC_SERVER_TLS_CERT": missing,
                          "GRPC_SERVER_TLS_KEY": missing},
                         {"REDIS_URL": NOWHERE, "REDIS_TLS": "true",
                          "REDIS_TLS_CACERT": missing},
                         {"REDIS_URL": NOWHERE, "REDIS_TLS": "true",
                          "REDIS_TLS_CLIENT_CERT": missing,
                          "REDIS_TLS_CLIENT_KEY": missing}):
            text = self.fail(1, RUNTIME_ROOT=str(self.folder / "rules"),
                             **settings)
            self.assertIn(missing, text)

    def test_the_second_redis_needs_a_url(self):
        text = self.fail(2, RUNTIME_ROOT=str(self.folder), REDIS_URL=NOWHERE,
                         REDIS_PERSECOND="true")
        self.assertIn("REDIS_PERSECOND_URL", text)

    # Files

    def test_a_domain_in_two_files_is_an_error(self):
        self.write("rules/config/a.yaml", LIMIT)
        self.write("rules/config/b.yaml", LIMIT)
        text = self.fail(1, RUNTIME_ROOT=str(self.folder / "rules"),
                         MERGE_DOMAIN_CONFIG="true")
        self.assertIn("b.yaml", text)

    def test_dot_files_are_never_read(self):
        self.write("rules/config/.hidden", "no: configuration")
        self.write("rules/config/..data/a.yaml", LIMIT)
        self.write("rules/config/a.yaml", LIMIT)
        server = self.start_server(environment={
            "RUNTIME_ROOT": str(self.folder / "rules"),
            "RUNTIME_IGNOREDOTFILES": "false"})
        self.assertEqual(self.statuses(server, 1, 1, 1), [0, 0, 1])

    def test_an_empty_folder_passes_everything_and_is_healthy(self):
        folder = self.folder / "empty"
        folder.mkdir()
        server = self.start_server("--config", folder)
        self.assertEqual(self.statuses(server, 1, 1, 1), [0, 0, 0])
        self.assertEqual(server.get("/healthcheck")[0], 200)

    # Answers

    def test_refused_hits_count_only_with_independent_accounting(self):
        text = LIMIT.replace("requests_per_unit: 2", "requests_per_unit: 5")
        for more, last in (("", 200), ("accounting: independent\n", 429)):
            server = self.start(more + text)
            self.assertEqual([self.call(server, hits) for hits in (3, 3, 1)],
                             [200, 429, last])

    def test_a_stated_cost_is_charged_past_the_limit(self):
        server = self.start()
        for hits, status in ((0, 200), (5, 429), (0, 429)):
            self.assertEqual(server.ask(("user", "ann"), domain="shop",
                                        hitsAddend=hits)[0], status)

    def test_without_redis_it_starts_and_is_healthy(self):
        server = self.start(REDIS_URL=NOWHERE)
        self.assertEqual(server.get("/healthcheck"), (200, "OK"))
        self.assertEqual(server.get("/live")[0], 200)
        self.assertEqual(self.statuses(server, 1), [3])

    def test_a_look_names_the_limit_of_a_descriptor(self):
        server = self.start()
        look = [harness.CTL, "check", "--address", server.grpc, "--domain",
                "shop", "--hits", "0", "--descriptor"]
        self.assertIn("limit 2 per DAY",
                      self.run_program(*look, "user=ann").stdout)
        self.assertIn("no limit", self.run_program(*look, "path=/").stdout)


class RedisTest(MigrateBase):
    def setUp(self):
        super().setUp()
        self.redis = Redis(self.folder / "redis")
        self.addCleanup(self.redis.stop)

    def wait_for_redis(self, server):
        harness.wait_for("a connection to Redis", lambda:
                         server.get("/ready") == (200, "OK"))

    def test_a_mixed_fleet_counts_apart(self):
        # The layout of envoyproxy/ratelimit: domain_key_value_windowstart.
        window = int(time.time()) // 86400 * 86400
        for start in (window, window + 86400):
            self.redis.command("SET", f"shop_user_ann_{start}", 100)
        server = self.start(REDIS_URL=f"127.0.0.1:{self.redis.port}")
        self.wait_for_redis(server)
        self.assertEqual(self.statuses(server, 1, 1, 1), [0, 0, 1])
        self.assertEqual(self.redis.command("GET", f"shop_user_ann_{window}"),
                         b"100")

    def test_the_deployment_for_istio_serves_its_rules(self):
        folder = harness.ROOT / "deploy/istio"
        deployment, rules = (
            yaml.safe_load((folder / name).read_text())
            for name in ("deployment.yaml", "configmap.yaml"))
        pod = deployment["spec"]["template"]["spec"]
        container = pod["containers"][0]
        environment = {item["name"]: item["value"] for item in container["env"]}
        self.assertFalse(set(environment) & set(variables("ignored")))
        self.assertEqual(container["volumeMounts"][0]["mountPath"], "/".join(
            (environment["RUNTIME_ROOT"], environment["RUNTIME_SUBDIRECTORY"],
             "config")))
        self.assertEqual(environment["REDIS_URL"], "redis:6379")
        # As Kubernetes mounts a ConfigMap: links into a hidden folder.
        mount = self.folder / "data/ratelimit/config"
        for name, text in rules["data"].items():
            self.write(f"data/ratelimit/config/..1/{name}", text)
            (mount / name).symlink_to(f"..data/{name}")
        (mount / "..data").symlink_to("..1")
        server = self.start_server(addresses=(), environment={
            **environment, "RUNTIME_ROOT": str(self.folder / "data"),
            "REDIS_URL": f"127.0.0.1:{self.redis.port}", "PORT": "0",
            "GRPC_PORT": "0", "DEBUG_PORT": "0"})
        self.wait_for_redis(server)
        self.assertRegex(server.debug, r"^127\.0\.0\.1:")
        harness.quiet_minute()
        statuses = [server.ask(("PATH", path), domain="echo-ratelimit")[0]
                    for path in ("/", "/", "/other", "/")]
        self.assertEqual(statuses, [200, 429, 200, 429])
        self.assertEqual(len(self.redis.keys()), 2)
        for probe in ("readinessProbe", "livenessProbe"):
            page = container[probe]["httpGet"]["path"]
            self.redis.kill()
            self.assertEqual(server.get(page)[0], 200)


if __name__ == "__main__":
    unittest.main()
