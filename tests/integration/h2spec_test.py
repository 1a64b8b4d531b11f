"""The lean transport passes the HTTP/2 cases of h2spec."""

import subprocess
import unittest

import harness

H2SPEC = harness.TOOLS / "bin/h2spec"
METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"


class H2SpecTest(harness.ProcessTest):
    def test_every_case_of_http2_and_hpack_passes(self):
        server = self.start_server("--config", harness.RECIPE,
                                   "--transport", "lean")
        host, port = server.grpc.rsplit(":", 1)
        done = subprocess.run(
            [H2SPEC, "--host", host, "--port", port, "--path", METHOD,
             "--timeout", "10", "generic", "http2", "hpack"],
            capture_output=True, text=True, timeout=10 * harness.PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"\n(\d+) tests, \1 passed, "
                                      r"0 skipped, 0 failed")


if __name__ == "__main__":
    unittest.main()
