"""user_tier_source: the real server with a fake billing system."""

import contextlib
import http.client
import http.server
import json
import re
import threading
import unittest
import urllib.parse

import harness
from redis_harness import Redis

CONFIG = """\
rate_limit:
  default_rps: 3
  user_tiers:
    free: {rps: 5, window_seconds: 86400}
    pro: {rps: 50, window_seconds: 86400}
  user_assignments:
    user-listed: free
  user_tier_source: %s
"""


class Billing:
    """Serves the tiers of the users in `tiers` at /user-tier/USER."""

    def __init__(self):
        self.tiers = {}
        self.status = 200
        self.authorizations = []
        self.asked = []
        self.open = threading.Event()  # no request is answered while clear
        self.open.set()
        billing = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                user = urllib.parse.unquote(self.path.rpartition("/")[2])
                billing.asked.append(user)
                billing.authorizations.append(self.headers["authorization"])
                billing.open.wait(harness.PATIENCE_S)
                tier = billing.tiers.get(user)
                body = json.dumps({"tier": tier}).encode()
                status = billing.status
                if status == 200 and tier is None:
                    status = 404
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = (f"http://127.0.0.1:{self.server.server_address[1]}"
                    "/user-tier/{user_id}")
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class TierSourceTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.billing = Billing()
        self.addCleanup(self.billing.stop)

    def start(self, source=None, environment=None):
        """Starts a server with `source` as its user_tier_source, {url} filled
        in."""
        self.config = self.write("config.yaml", self.text(source))
        self.server = self.start_server("--config", self.config,
                                        environment=environment)

    def text(self, source):
        source = source or "{url: '{URL}', timeout: 10s}"
        return CONFIG % source.replace("{URL}", self.billing.url)

    def check(self, user, *arguments, key="user_id", expect=0,
              timeout_s=harness.PATIENCE_S):
        return self.run_program(
            harness.CTL, "check", "--address", self.server.grpc, "--domain",
            "default", "--timeout", f"{timeout_s}s", "--descriptor",
            f"{key}={user}", *arguments, expect=expect).stdout

    def limit_of(self, user, **options):
        """The limit of the user, by a request that charges no units."""
        text = self.check(user, "--hits", "0", **options)
        return int(re.search(r"limit (\d+) per", text).group(1))

    def refresh(self, user):
        connection = http.client.HTTPConnection(self.server.debug,
                                                timeout=harness.PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("POST", "/tiers/%s/refresh" %
                               urllib.parse.quote(user, safe=""))
            response = connection.getresponse()
            return response.status, response.read().decode()

    def metric(self, name, label):
        text = self.server.get("/metrics")[1]
        return float(re.search(
            rf'^ratelimitd_tier_{name}\{{domain="default",{label}\}} (\S+)$',
            text, re.M).group(1))

    def upgrade(self):
        self.billing.tiers["ann"] = "free"
        self.check("ann", "--hits", "5")
        self.assertIn("OVER_LIMIT", self.check("ann", expect=1))
        self.billing.tiers["ann"] = "pro"
        # The server has not looked the new tier up yet.
        self.check("ann", expect=1)
        self.assertEqual(self.refresh("ann"), (200, "default: tier pro\n"))
        self.assertIn("limit 50 per DAY, remaining 44", self.check("ann"))

    def test_pitfall_3_an_upgrade_counts_at_once_and_keeps_what_was_used(self):
        self.start()
        self.upgrade()

    def test_an_upgrade_keeps_what_was_used_in_redis(self):
        redis = Redis(self.folder)
        self.addCleanup(redis.stop)
        self.start(environment={"REDIS_URL": redis.url,
                                "REDIS_TIMEOUT": "10s"})
        harness.wait_for("Redis", lambda:
                         self.server.get("/ready") == (200, "OK"))
        self.upgrade()
        self.assertEqual(len(redis.keys()), 1)

    def test_pitfall_3_an_upgrade_counts_within_the_ttl(self):
        self.billing.tiers["ann"] = "free"
        self.start("{url: '{URL}', timeout: 10s, ttl: 1s}")
        self.assertEqual(self.limit_of("ann"), 5)
        self.billing.tiers["ann"] = "pro"
        harness.wait_for("the upgrade", lambda: self.limit_of("ann") == 50)

    def test_listed_users_are_not_asked_for_and_others_are(self):
        self.billing.tiers = {"user-listed": "pro", "ann": "pro",
                              "a b/c": "free"}
        self.start("'{URL}'")
        self.assertEqual(self.limit_of("user-listed"), 5)
        self.assertEqual(self.limit_of("ann"), 50)
        self.assertEqual(self.limit_of("a b/c"), 5)
        self.assertEqual(self.limit_of("nobody"), 3)
        self.assertEqual(self.billing.asked, ["ann", "a b/c", "nobody"])

    def test_a_source_that_is_down_is_no_error_for_the_gateway(self):
        self.billing.tiers["ann"] = "pro"
        self.start("{url: '{URL}', timeout: 10s, ttl: 1s, negative_ttl: 1s}")
        self.assertEqual(self.limit_of("ann"), 50)
        self.billing.status = 503
        harness.wait_for("the tier's end", lambda: (
            self.assertEqual(self.limit_of("ann"), 50),
            self.metric("answers_total", 'from="last_known"') > 0)[1])
        self.assertEqual(self.limit_of("bob"), 3)
        self.assertEqual(self.limit_of("user-listed"), 5)
        self.assertGreater(
            self.metric("lookups_total", 'result="http_status"'), 0)
        self.assertEqual(self.refresh("ann")[0], 502)

    def test_a_slow_source_is_not_waited_for_beyond_the_deadline(self):
        self.billing.tiers["ann"] = "pro"
        self.start()
        self.billing.open.clear()
        text = self.check("ann", timeout_s=5)
        self.assertIn("limit 3 per MINUTE", text)
        self.billing.open.set()
        harness.wait_for("the tier", lambda: self.limit_of("ann") == 50)
        self.assertEqual(self.billing.asked, ["ann"])

    def test_without_wait_the_default_comes_at_once(self):
        self.billing.tiers["ann"] = "pro"
        self.billing.open.clear()
        self.start("'{URL}'\n  user_tier_timeout: 10s\n  user_tier_wait: no")
        self.assertEqual(self.limit_of("ann"), 3)
        self.billing.open.set()
        harness.wait_for("the tier", lambda: self.limit_of("ann") == 50)

    def test_a_reload_takes_another_source(self):
        self.billing.tiers["ann"] = "free"
        self.start()
        self.assertEqual(self.limit_of("ann"), 5)
        other = Billing()
        self.addCleanup(other.stop)
        other.tiers["ann"] = "pro"
        self.config.write_text(CONFIG % f"'{other.url}'")
        harness.wait_for("the reload", lambda: self.limit_of("ann") == 50)

    def test_hostile_users_are_never_sent(self):
        self.start()
        for user in ("..", "../admin", "a/../b", "x" * 2000, "a\nb"):
            self.assertEqual(self.limit_of(user), 3)
        self.assertEqual(self.billing.asked, [])
        self.assertEqual(self.metric("lookups_total", 'result="refused"'), 5)

    def test_no_secret_shows(self):
        token = "Bearer sk-user-secret"
        self.start("{url: '{URL}?k=url-secret', timeout: 10s, header: "
                   "{name: Authorization, value_env: BILLING_KEY}}",
                   environment={"BILLING_KEY": "Bearer billing-secret",
                                "LOG_LEVEL": "debug"})
        self.billing.status = 500
        self.assertEqual(self.limit_of(token, key="authorization"), 3)
        self.assertEqual(self.billing.authorizations,
                         ["Bearer billing-secret"])
        self.refresh("sk-user-secret")
        shown = self.server.log() + "".join(
            self.server.get(*page)[1] for page in
            (("/metrics",), ("/rlconfig", self.server.debug)))
        self.assertIn("HTTP status 500", shown)
        self.assertNotIn("secret", shown)

    def test_validate_config_reports_a_mistake(self):
        config = self.write("bad.yaml", CONFIG % "https://h/tier")
        done = self.run_program(harness.CTL, "validate-config", config,
                                expect=1)
        self.assertIn(f"{config}:8: user_tier_source: expected a URL with "
                      "{user_id}", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
