"""Steps 1 to 4 of the recipe (docs/TIERS.md), unchanged, with a real Envoy."""

import json
import re
import subprocess
import time
import unittest

import harness

STEP_1 = """\
✓ Config valid
✓ Rate limiting: 3 tiers configured (free/pro/enterprise)
✓ User assignments: 3 users (user-123→free, user-456→pro, user-789→enterprise)
"""

STEP_2 = """
for i in {1..6}; do
  curl -X POST http://localhost:8000/v1/messages \\
    -H "Authorization: Bearer user-123" \\
    -d '{"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}]}' \\
    -s | jq '{status: .status, cost: .cost_cents}'
done
"""

STEP_3 = """
for i in {1..6}; do
  curl -X POST http://localhost:8000/v1/messages \\
    -H "Authorization: Bearer user-456" \\
    -d '{"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}]}' \\
    -s | jq '{status: .status}'
done
"""

STEP_4_HAMMER = """
ab -n 50 -c 5 -H "Authorization: Bearer user-123" \\
  -p request.json http://localhost:8000/v1/messages
"""

STEP_4_STILL_WORKS = """
curl -X POST http://localhost:8000/v1/messages \\
  -H "Authorization: Bearer user-456" \\
  -d '{"model": "gpt-4", "messages": [{"role": "user", "content": "Still works?"}]}' \\
  -s | jq '.status'
"""

REFUSED = {"status": 429,
           "message": "Rate limit exceeded. Free tier: 5 req/min"}


class Typing:
    """Runs the commands of the recipe. Tests inherit this class and
    ProcessTest, and define address(), which replaces localhost:8000."""

    patience_s = harness.PATIENCE_S

    def type(self, lines):
        """Runs commands of the recipe, with only the port changed."""
        self.assertIn("localhost:8000", lines)
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c",
             lines.replace("localhost:8000", self.address())],
            cwd=self.folder, capture_output=True, text=True,
            timeout=self.patience_s)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def answers(self, lines):
        """The output of jq, one value for each request."""
        return [json.loads(value) for value in
                re.findall(r"^\{$.*?^\}$", self.type(lines), re.M | re.S)]


class EnvoyTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_server("--config", harness.RECIPE)
        self.envoy = self.start_envoy(self.server)
        self.url = f"http://{self.envoy.address}/v1/messages"


class RecipeTest(Typing, EnvoyTest):
    def address(self):
        return self.envoy.address

    def test_step_1_validates_the_config(self):
        done = self.run_program(harness.CTL, "validate-config", harness.RECIPE)
        self.assertEqual(done.stdout, STEP_1)

    def test_step_2_refuses_the_sixth_request_of_a_free_user(self):
        harness.quiet_minute()
        self.assertEqual(self.answers(STEP_2),
                         [{"status": 200, "cost": 15}] * 5 +
                         [{"status": 429, "cost": None}])

    def test_step_3_lets_six_requests_of_a_pro_user_pass(self):
        harness.quiet_minute()
        self.assertEqual(self.answers(STEP_3), [{"status": 200}] * 6)

    def test_step_4_isolates_users(self):
        self.write("request.json", '{"model": "gpt-4"}')
        harness.quiet_minute()
        hammered = self.type(STEP_4_HAMMER)
        self.assertIn("Complete requests:      50", hammered)
        refused = re.search(r"^Non-2xx responses: +(\d+)$", hammered, re.M)
        self.assertIsNotNone(refused, hammered)
        self.assertIn(50 - int(refused.group(1)), (5, 6, 7))
        self.assertEqual(self.type(STEP_4_STILL_WORKS), "200\n")

    def test_a_refusal_is_json_and_says_when_to_come_back(self):
        harness.quiet_minute()
        self.type(STEP_2)
        done = self.run_program(
            "curl", "-s", "-i", self.url, "-H", "Authorization: Bearer user-123")
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        self.assertRegex(head, r"^HTTP/1.1 429 ")
        self.assertIn("content-type: application/json", head.lower())
        self.assertRegex(head, r"x-ratelimit-limit: 5, 5;w=60")
        self.assertRegex(head, r"x-ratelimit-reset: [1-9]")
        self.assertEqual(json.loads(body), REFUSED)


class PitfallTest(EnvoyTest):
    """The pitfalls of the recipe. tier_source_test.py tests the third."""

    def ask(self, user):
        port = int(self.envoy.address.rsplit(":", 1)[1])
        return harness.send_request(port, ("Authorization", f"Bearer {user}"),
                                    body=b"{}")

    def passed(self, user, count):
        return sum(self.ask(user).status == 200 for _ in range(count))

    def test_pitfall_1_tiers_differ(self):
        harness.quiet_minute(30)
        self.assertEqual(
            [self.passed(user, limit + 5) for user, limit in (
                ("user-123", 5), ("user-456", 50), ("user-789", 500))],
            [5, 50, 500])

    def test_pitfall_4_the_window_ends_with_the_minute(self):
        harness.quiet_minute()
        self.passed("user-123", 5)
        before = time.time()
        refused = self.ask("user-123")
        after = time.time()
        self.assertEqual(refused.status, 429)
        # In whole seconds, rounded up.
        self.assertIn(int(refused.headers["x-ratelimit-reset"]),
                      range(int(60 - after % 60), int(60 - before % 60) + 2))


class BurstPitfallTest(harness.ProcessTest):
    """Uses windows of four seconds, because the tests wait for idle windows."""

    WINDOW_S = 4

    def setUp(self):
        super().setUp()
        recipe = harness.RECIPE.read_text()
        config = self.write("recipe.yaml", recipe.replace(
            "window_seconds: 60", f"window_seconds: {self.WINDOW_S}"))
        self.server = self.start_server("--config", config)

    def passed_in_window(self, windows_later, count):
        """How many of `count` requests pass, `windows_later` windows from
        now."""
        now = time.time()
        begin = (now // self.WINDOW_S + windows_later) * self.WINDOW_S
        harness.let_time_pass(begin - now + 0.05, "the windows between")
        passed = sum(self.server.ask(("user_id", "user-123"))[0] == 200
                     for _ in range(count))
        self.assertLess(time.time(), begin + self.WINDOW_S, "too slow")
        return passed

    def test_pitfall_2_an_idle_user_has_a_burst(self):
        self.assertEqual(self.passed_in_window(1, 1), 1)
        self.assertEqual(self.passed_in_window(1, 20), 7)

    def test_pitfall_5_the_burst_stays_small(self):
        self.assertEqual(self.passed_in_window(1, 1), 1)
        self.assertEqual(self.passed_in_window(3, 30), 7)
        self.assertEqual(self.passed_in_window(1, 30), 5)


class OddCallersTest(EnvoyTest):
    """Every client is limited, with any headers: default_rps is 10."""

    def statuses(self, *headers, count=11):
        harness.quiet_minute()
        arguments = [part for header in headers for part in ("-H", header)]
        return [self.run_program("curl", "-s", "-o", "/dev/null", "-w",
                                 "%{http_code}", *arguments, self.url).stdout
                for _ in range(count)]

    def assert_limited(self, *headers):
        self.assertEqual(self.statuses(*headers), ["200"] * 10 + ["429"])

    def test_no_authorization_is_limited_by_address(self):
        self.assert_limited()

    def test_an_empty_authorization_is_limited(self):
        self.assert_limited("Authorization;")

    def test_a_token_of_spaces_is_limited(self):
        self.assert_limited("Authorization: Bearer      ")

    def test_an_unknown_token_is_limited(self):
        self.assert_limited("Authorization: Bearer nobody at all")

    def test_two_tokens_are_one_unknown_user(self):
        self.assert_limited("Authorization: Bearer user-456",
                            "Authorization: Bearer user-789")

    def test_bytes_that_are_not_utf8_are_limited(self):
        harness.quiet_minute()
        statuses = []
        for _ in range(11):
            done = subprocess.run(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                 b"Authorization: Bearer \xff\xfe", self.url],
                capture_output=True, timeout=harness.PATIENCE_S, check=True)
            statuses.append(done.stdout.decode())
        self.assertEqual(statuses, ["200"] * 10 + ["429"])

    def test_a_huge_token_is_limited(self):
        # A little less than 60 KiB, which is Envoy's limit for all headers.
        self.assert_limited("Authorization: Bearer " + "x" * 60_000)

    def test_a_users_rest_is_not_touched_by_odd_tokens(self):
        self.statuses("Authorization: Bearer user-123,Bearer user-123", count=6)
        self.assertEqual(
            self.statuses("Authorization: Bearer user-123", count=6),
            ["200"] * 5 + ["429"])


class AbsentServerTest(EnvoyTest):
    def test_requests_pass_while_it_is_away_as_the_envoy_config_says(self):
        self.server.stop()
        done = self.run_program("curl", "-s", "-o", "/dev/null", "-w",
                                "%{http_code}", self.url)
        self.assertEqual(done.stdout, "200")


if __name__ == "__main__":
    unittest.main()
