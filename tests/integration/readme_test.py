"""Runs the commands of the README without changes.

They use fixed ports. The tests therefore run in a network namespace of their
own, where these ports are free.
"""

import os
import pathlib
import re
import subprocess
import unittest

import harness

BLOCK = re.compile(
    r"readme_test\.py runs these lines as they stand -->\n```sh\n(.*?)```", re.S)

REPLICAS_BLOCK = re.compile(
    r"readme_test\.py runs this block as it stands -->\n```sh\n(.*?)```", re.S)

# Starts the server, waits for its ready line, and runs the test's commands.
SCRIPT = """
set -e
ip link set lo up
exec 3< <("$RATELIMITD" --config "$RECIPE" 2>server.log)
server=$!
read -r ready <&3
echo "$ready"
{commands}
kill -TERM $server
wait $server || true
"""


class ReadmeTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        blocks = BLOCK.findall((harness.ROOT / "README.md").read_text())
        self.assertEqual(len(blocks), 2, "blocks of lines to run")
        self.lines = "".join(blocks).strip().splitlines()
        client = self.folder / "build/release/client"
        client.mkdir(parents=True)
        (client / "ratelimitctl").symlink_to(harness.CTL)

    def test_the_lines_work(self):
        harness.quiet_minute()
        commands = "\n".join(f"echo '##'; {line}; echo" for line in self.lines)
        as_root = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
        done = subprocess.run(
            ["unshare", *as_root, "bash", "-c",
             SCRIPT.replace("{commands}", commands)],
            cwd=self.folder, capture_output=True, text=True,
            timeout=harness.PATIENCE_S,
            env={**os.environ, "RECIPE": str(harness.RECIPE),
                 "PATH": f"{harness.GRPCURL.parent}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        ready, *answers = [part.strip() for part in done.stdout.split("##\n")]
        self.assertEqual(
            ready, "ready grpc=[::]:8081 http=[::]:8080 debug=127.0.0.1:6070")
        self.assertEqual(len(answers), 6)
        self.assertRegex(answers[0], r"^OK\n  user_id=user-123: OK, limit 5 per "
                                     r"MINUTE, remaining 4, reset in \d+ s$")
        self.assertRegex(answers[1], r"^OK\n  user_id=user-456: OK, limit 50 per "
                                     r"MINUTE, remaining 49, reset in \d+ s$")
        self.assertEqual(answers[2], "OK")
        self.assertIn('"requestsPerUnit":50', answers[3])
        self.assertIn('"limitRemaining":48', answers[3])
        self.assertIn("envoy.service.ratelimit.v3.RateLimitService", answers[4])
        self.assertIn('"limit_remaining": 3', answers[5].replace(
            "limitRemaining", "limit_remaining"))


# Processes that the block leaves behind end with its process namespace. The
# namespace has its own /proc, which the leak checker needs. Only /proc becomes
# private: in a chroot the root is not a mount, so its propagation is fixed.
REPLICAS = """
mount --make-private /proc && mount -t proc proc /proc
ip link set lo up
{block}
"""


class ReplicasTest(harness.ProcessTest):
    """The README's two replicas, in a network namespace of their own."""

    def test_they_share_one_limit(self):
        match = REPLICAS_BLOCK.search((harness.ROOT / "README.md").read_text())
        self.assertIsNotNone(match, "the README has no block to run")
        self.assertEqual(len(match.group(1).strip().splitlines()), 5)
        for folder, program in (("client", harness.CTL),
                                ("server", harness.SERVER)):
            path = self.folder / "build/release" / folder
            path.mkdir(parents=True)
            (path / pathlib.Path(program).name).symlink_to(program)
        (self.folder / "deploy").symlink_to(harness.ROOT / "deploy")
        harness.quiet_minute()
        as_root = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
        done = subprocess.run(
            ["unshare", *as_root, "--pid", "--fork", "--kill-child",
             "--mount", "--propagation", "unchanged", "bash", "-c",
             REPLICAS.replace("{block}", match.group(1))],
            cwd=self.folder, capture_output=True, text=True,
            timeout=harness.PATIENCE_S,
            # The test counts every answer, so a busy machine may take longer.
            env={**os.environ, "REDIS_TIMEOUT": "10s"})
        verdicts = re.findall(r"(OK|OVER_LIMIT)\n  user_id=", done.stdout)
        self.assertEqual(verdicts, ["OK"] * 5 + ["OVER_LIMIT"],
                         done.stdout + done.stderr)


class ConfigPageTest(harness.ProcessTest):
    def test_every_configuration_shown_is_valid(self):
        page = (harness.ROOT / "docs/CONFIG.md").read_text()
        shown = re.findall(r"^```yaml\n((?:domain|rate_limit):.*?)```", page,
                           re.M | re.S)
        self.assertGreaterEqual(len(shown), 2)
        for text in shown:
            self.run_program(harness.CTL, "validate-config",
                             self.write("shown.yaml", text))


if __name__ == "__main__":
    unittest.main()
