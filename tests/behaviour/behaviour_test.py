"""Runs each case of the table as a test. README.md describes the table.

python -m unittest behaviour_test [-k PATTERN], with the variables of the ctest
entries; STORE is memory or redis.
"""

import os
import re
import subprocess
import unittest

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"  # else each start is logged

import cases  # noqa: E402
import harness  # noqa: E402
import steps  # noqa: E402
import worlds  # noqa: E402

CASES = cases.read_table()
MINIMUM = 300


class BehaviourTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.worlds = worlds.Worlds(CASES)
        cls.addClassCleanup(cls.worlds.close)

    def run_case(self, case):
        if case.ends is not None:
            self.check_end(case)
        elif case.refused:
            self.check_refusal(case)
        else:
            world = self.worlds.of(case)
            self.assertEqual(world.errors.get(case.method, []), [])
            steps.CallSteps(self, world, case).run()

    def check_refusal(self, case):
        """ratelimitctl and the server refuse the file and name the place."""
        folder = case.write(self.worlds.folder)
        place = str(folder)
        if case.line:
            place = f"{folder / case.filename}:{case.line}: "
        for command in ([harness.CTL, "validate-config", folder],
                        [harness.SERVER, *harness.FREE_PORTS, "--config",
                         folder]):
            self.check_failure(command, 1, place, case)

    def check_end(self, case):
        config = self.worlds.folder / "empty"
        config.mkdir(exist_ok=True)
        self.check_failure([harness.SERVER, *harness.FREE_PORTS, "--config",
                            config], case.ends, "", case)

    def check_failure(self, command, status, place, case):
        with subprocess.Popen(
                list(map(str, command)), stdout=subprocess.PIPE, text=True,
                stderr=subprocess.PIPE, errors="replace",
                env={**os.environ, **case.env}) as process:
            ready = process.stdout.readline().startswith("ready ")
            if ready:
                process.kill()
            out, err = process.communicate(timeout=harness.PATIENCE_S)
        self.assertFalse(ready, f"{command[0]} accepts it")
        self.assertEqual(process.returncode, status, out + err)
        self.assertIn(place, err)
        self.assertTrue(re.search(case.says or "", err), err)


class TableTest(unittest.TestCase):
    """The table and its runner. Here a wrong row must fail."""

    RULES = """\
- {key: k, rate_limit: {unit: hour, requests_per_unit: 5, name: n}}
"""
    RIGHT = {"ask": "k=a", "expect": "OK 4 of 5/hour named n reset 2370"}
    WRONG = (
        {"expect": "OVER 4 of 5/hour named n", "overall": "OK"},
        {"overall": "OVER"},
        {"expect": "OK 3 of 5/hour named n"},
        {"expect": "OK 4 of 6/hour named n"},
        {"expect": "OK 4 of 5/day named n"},
        {"expect": "OK 4 of 5/hour"},
        {"expect": "OK 4 of 5/hour named n reset 2371"},
        {"expect": "OK no limit"},
        {"expect": "OK unlimited"},
        {"expect": ["OK 4 of 5/hour named n", "OK no limit"]},
        {"expect": []},
        {"headers": [["RateLimit-Limit", 5]]},
        {"metadata": {}},
        {"body": "text"},
        {"error": "INVALID_ARGUMENT"},
        {"ask": [], "error": "INTERNAL"},
        {"ask": [], "error": "INVALID_ARGUMENT", "says": "nonsense"},
        {"json": {"descriptors": []}, "status": 200},
        {"json": {"descriptors": [{}]}, "answer": {}},
        {"together": 3, "passes": 2},
        {"get": "/live", "status": 404},
        {"health": "", "error": "NOT_FOUND"},
    )

    def test_the_table_is_complete(self):
        self.assertGreaterEqual(len(CASES), MINIMUM)

    def test_a_wrong_row_fails(self):
        rows = [cases.Case("wrong", {"rules": self.RULES},
                           {"name": f"row {number}", "steps": [row]}, number)
                for number, row in enumerate(
                    [self.RIGHT, *({**self.RIGHT, **row}
                                   for row in self.WRONG)])]
        own = worlds.Worlds(rows)
        self.addCleanup(own.close)
        steps.CallSteps(self, own.of(rows[0]), rows[0]).run()
        for row in rows[1:]:
            with self.subTest(row=row.steps[0].raw_step):
                with self.assertRaises(AssertionError):
                    steps.CallSteps(self, own.of(row), row).run()


def add_tests():
    for case in CASES:
        # A start that fails is the same with both stores.
        if not case.needs_no_store or worlds.STORE == "memory":
            def run(self, case=case):
                self.run_case(case)
            setattr(BehaviourTest, case.method, run)


add_tests()

if __name__ == "__main__":
    unittest.main()
