"""The recipe's Steps 1 to 4, typed as they stand, with a real Envoy."""

import json
import re
import subprocess
import unittest

import harness

STEP_1 = """\
✓ Config valid
✓ Rate limiting: 3 tiers configured (free/pro/enterprise)
✓ User assignments: 3 users (user-123→free, user-456→pro, user-789→enterprise)
"""

REFUSED = {"status": 429,
           "message": "Rate limit exceeded. Free tier: 5 req/min"}


class EnvoyTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_server("--config", harness.RECIPE)
        self.envoy = self.start_envoy(self.server)
        self.url = f"http://{self.envoy.address}/v1/messages"


class RecipeTest(EnvoyTest):
    def curl(self, token, *more):
        """(HTTP status, body) of the recipe's request."""
        done = self.run_program(
            "curl", "-s", "-X", "POST", self.url,
            "-H", f"Authorization: Bearer {token}",
            "-d", '{"model": "gpt-4", "messages": '
                  '[{"role": "user", "content": "Hi"}]}',
            "-w", "\n%{http_code}", *more)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)

    def ab(self, token):
        """How many of 50 requests were refused."""
        request = self.write("request.json", '{"model": "gpt-4"}')
        done = self.run_program(
            "ab", "-n", "50", "-c", "5", "-H", f"Authorization: Bearer {token}",
            "-p", request, self.url)
        self.assertIn("Complete requests:      50", done.stdout)
        refused = re.search(r"Non-2xx responses: +(\d+)", done.stdout)
        return int(refused.group(1)) if refused else 0

    def test_step_1_validates_the_config(self):
        done = self.run_program(harness.CTL, "validate-config", harness.RECIPE)
        self.assertEqual(done.stdout, STEP_1)

    def test_step_2_refuses_the_sixth_request_of_a_free_user(self):
        harness.quiet_minute()
        for _ in range(5):
            self.assertEqual(self.curl("user-123"),
                             (200, {"status": 200, "cost_cents": 15}))
        self.assertEqual(self.curl("user-123"), (429, REFUSED))

    def test_step_3_lets_six_requests_of_a_pro_user_pass(self):
        harness.quiet_minute()
        for _ in range(6):
            self.assertEqual(self.curl("user-456")[0], 200)

    def test_step_4_isolates_users(self):
        harness.quiet_minute()
        refused = self.ab("user-123")
        self.assertTrue(43 <= refused <= 45, refused)
        self.assertEqual(self.curl("user-456")[0], 200)

    def test_a_refusal_is_json_and_says_when_to_come_back(self):
        harness.quiet_minute()
        for _ in range(5):
            self.curl("user-123")
        done = self.run_program(
            "curl", "-s", "-i", self.url, "-H", "Authorization: Bearer user-123")
        head = done.stdout.lower()
        self.assertIn("content-type: application/json", head)
        self.assertRegex(head, r"x-ratelimit-limit: 5, 5;w=60")
        self.assertRegex(head, r"x-ratelimit-reset: [1-9]")


class OddCallersTest(EnvoyTest):
    """Nobody goes unlimited, whatever he sends: default_rps is 10."""

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

    def test_an_unknown_token_is_limited(self):
        self.assert_limited("Authorization: Bearer nobody at all")

    def test_two_tokens_are_one_unknown_user(self):
        self.assert_limited("Authorization: Bearer user-456",
                            "Authorization: Bearer user-789")

    def test_bytes_that_are_not_utf8_are_limited(self):
        token = b"Authorization: Bearer \xff\xfe".decode("latin-1")
        harness.quiet_minute()
        statuses = []
        for _ in range(11):
            done = subprocess.run(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                 token.encode("latin-1"), self.url.encode()],
                capture_output=True, timeout=harness.PATIENCE_S, check=True)
            statuses.append(done.stdout.decode())
        self.assertEqual(statuses, ["200"] * 10 + ["429"])

    def test_a_huge_token_is_limited(self):
        self.assert_limited("Authorization: Bearer " + "x" * 50_000)


if __name__ == "__main__":
    unittest.main()
