"""The demo. Runs the printed commands unchanged, except for the port."""

import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
import recipe_test

DEMO = harness.ROOT / "deploy/demo/demo.py"


class DemoTest(recipe_test.Typing, harness.ProcessTest):
    patience_s = 2 * harness.PATIENCE_S  # some requests are held for a minute

    def start_demo(self, *arguments):
        for _ in range(harness.PORT_TRIES):
            self.port = harness.free_port()
            self.demo = self.popen(*arguments, "--port", self.port)
            first = self.demo.stdout.readline()
            if first.startswith("ready"):
                return first
            error = self.demo.communicate()[1]
        raise AssertionError(error)

    def popen(self, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-B", DEMO, "--server", harness.SERVER, "--envoy",
             harness.ENVOY, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.terminate()
        process.communicate(timeout=harness.PATIENCE_S)

    def address(self):
        return f"localhost:{self.port}"

    def test_the_recipe_gives_what_it_prints(self):
        self.assertEqual(self.start_demo(),
                         f"ready on http://localhost:{self.port}/v1/messages, "
                         "enforce: reject\n")
        self.write("request.json", '{"model": "gpt-4"}')
        harness.quiet_minute()
        self.assertEqual(self.answers(recipe_test.STEP_2),
                         [{"status": 200, "cost": 15}] * 5 +
                         [{"status": 429, "cost": None}])
        self.assertEqual(self.answers(recipe_test.STEP_3),
                         [{"status": 200}] * 6)
        hammered = self.type(recipe_test.STEP_4_HAMMER)
        self.assertIn("Complete requests:      50", hammered)
        self.assertRegex(hammered, r"Non-2xx responses: +50\n")
        self.assertEqual(self.type(recipe_test.STEP_4_STILL_WORKS), "200\n")

    def test_the_lines_that_it_prints_can_be_typed(self):
        self.start_demo()
        shown = ""
        while "done" not in shown:
            shown += self.demo.stdout.readline()
        lines = shown[shown.index("for i"):]
        harness.quiet_minute()
        self.assertEqual(
            self.answers(lines.replace(str(self.port), "8000"))[-1],
            {"status": 429, "model": None, "cost": None,
             "message": recipe_test.REFUSED["message"]})

    def test_with_queue_the_sixth_request_is_answered_in_the_next_minute(self):
        self.assertIn("enforce: queue", self.start_demo("--enforce", "queue"))
        harness.quiet_minute(10)
        minute = time.time() // 60
        self.assertEqual(self.answers(recipe_test.STEP_2),
                         [{"status": 200, "cost": 15}] * 6)
        # Without a queue the answer would come within the same minute.
        self.assertEqual(time.time() // 60, minute + 1)

    def test_with_degrade_the_sixth_request_gets_the_cheaper_model(self):
        self.start_demo("--enforce", "degrade")
        self.write("request.json", '{"model": "gpt-4"}')
        harness.quiet_minute()
        self.assertEqual(self.answers(recipe_test.STEP_2),
                         [{"status": 200, "cost": 15}] * 5 +
                         [{"status": 200, "cost": 1}])
        with_model = recipe_test.STEP_2.replace("{status: .status", "{model")
        self.assertEqual(self.answers(with_model),
                         [{"model": "gpt-3.5-turbo", "cost": 1}] * 6)
        self.assertEqual(self.answers(recipe_test.STEP_3),
                         [{"status": 200}] * 6)
        hammered = self.type(recipe_test.STEP_4_HAMMER)
        self.assertIn("Complete requests:      50", hammered)
        self.assertNotIn("Non-2xx responses", hammered)
        self.assertEqual(self.type(recipe_test.STEP_4_STILL_WORKS), "200\n")

    def test_ctrl_c_ends_everything(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.start_demo()
            children = pathlib.Path(f"/proc/{self.demo.pid}/task/"
                                    f"{self.demo.pid}/children")
            started = children.read_text().split()
            self.assertEqual(len(started), 2)
            self.demo.send_signal(number)
            error = self.demo.communicate(timeout=harness.PATIENCE_S)[1]
            self.assertEqual((self.demo.returncode, error), (0, ""))
            for pid in started:
                self.assertFalse(pathlib.Path("/proc", pid).exists())

    def fails(self, *arguments):
        demo = self.popen(*arguments)
        error = demo.communicate(timeout=harness.PATIENCE_S)[1]
        self.assertEqual(demo.returncode, 1)
        return error

    def test_a_taken_port_is_an_error(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertEqual(
                self.fails("--port", port),
                f"port {port}: Address already in use; try --port N\n")

    def test_what_the_server_refuses_is_shown(self):
        server = self.write("server", "#!/bin/sh\necho config.yaml:1: no >&2\n"
                                      "exit 1\n")
        server.chmod(0o755)
        self.assertEqual(
            self.fails("--server", server, "--port", harness.free_port()),
            "ratelimitd has ended:\nconfig.yaml:1: no\n\n")


if __name__ == "__main__":
    unittest.main()
