"""Tests that the report compares in the right direction and reports missed
targets."""

import unittest

import chart
import measure
import report
from cases import CASES, EMPTY, OURS, PEER, Server

LEAN, GRPC = "lean, memory", "empty gRPC"
SERVERS = [Server(LEAN, "a {port}", OURS), Server(GRPC, "b {port}", EMPTY)]


def figures(cpu_us, **others):
    return {"per_s": 1e6 / cpu_us, "cpu_us": cpu_us, "p50_us": 1.0,
            "p99_us": 2.0, "p999_us": 3.0, "load_busy": 0.5, **others}


def row(results, text, servers=()):
    return next(row for row in report.targets(results, servers)
                if row[0].startswith(text))


class TargetsTest(unittest.TestCase):
    def setUp(self):
        self.results = report.Results()

    def add(self, case, server, *rounds):
        for each in rounds:
            self.results.add(case, server, each)

    def test_ratios_are_taken_round_by_round(self):
        self.add("zipf", LEAN, figures(2), figures(4), figures(2))
        self.add("zipf", GRPC, figures(12), figures(24), figures(10))
        self.assertEqual(
            row(self.results, "lean, memory / empty gRPC")[2:],
            ["6.00 (5.00-6.00)", "6.00 (5.00-6.00)", "kept"])

    def test_less_than_the_target_is_missed(self):
        self.add("zipf", LEAN, figures(2))
        self.add("zipf", GRPC, figures(9.9))
        self.assertEqual(row(self.results, "lean, memory / empty gRPC")[4],
                         "**missed**")

    def test_a_target_without_figures_is_not_measured(self):
        for cells in report.targets(self.results, SERVERS):
            self.assertEqual(cells[4], "not measured", cells)

    def test_a_round_that_failed_does_not_shift_the_others(self):
        self.add("zipf", LEAN, figures(2), figures(4))
        self.results.fail("zipf", GRPC, "gone")
        self.add("zipf", GRPC, figures(40))
        self.assertEqual(row(self.results, "lean, memory / empty gRPC")[2],
                         "10.00")

    def test_latency_is_a_difference(self):
        self.add("single", LEAN, figures(2, p50_us=50))
        self.add("single", "empty nghttp2", figures(2, p50_us=39))
        self.assertEqual(row(self.results, "lean, memory, one call")[2:],
                         ["11.0 us", "-", "**missed**"])

    def test_two_cores_are_compared_by_rate(self):
        self.add("zipf", LEAN, figures(2))
        self.add("two-cores", LEAN, figures(2, per_s=950_000, load_busy=1))
        self.assertEqual(row(self.results, "lean, memory, rate on two")[2:],
                         ["1.90", "-", "kept, limited by the load"])

    def test_a_peer_with_redis_is_compared_with_ours_with_redis(self):
        peer = Server("go", "serve {port} {redis}", PEER)
        self.add("zipf", "lean, Redis", figures(5, redis_cpu_us=3))
        self.add("zipf", "go", figures(80, redis_cpu_us=20))
        self.assertEqual(row(self.results, "lean, Redis / go", [peer])[2:],
                         ["16.00", "16.00", "kept"])
        self.assertEqual(row(self.results, "the same", [peer])[2:],
                         ["0.15", "-", "kept"])


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.results = report.Results()
        self.results.add("zipf", LEAN, figures(2, load_busy=0.99))

    def test_only_failures_of_our_servers_fail_the_run(self):
        self.assertFalse(report.ours_failed(self.results, SERVERS))
        self.results.fail("five", "go", "hangs")
        servers = SERVERS + [Server("go", "{port}", PEER)]
        self.assertFalse(report.ours_failed(self.results, servers))
        self.assertIn("| go | failed: hangs |",
                      report.markdown(self.results, servers, []))
        self.results.fail("five", GRPC, "gone")
        self.assertTrue(report.ours_failed(self.results, servers))

    def test_a_load_without_time_left_is_marked(self):
        self.assertIn("| 0.99 ! |",
                      report.markdown(self.results, SERVERS, []))

    def test_the_chart_has_a_bar_for_each_server_of_a_case(self):
        self.results.add("hot", LEAN, figures(4))
        picture = chart.svg(self.results, SERVERS, [("Commit", "<x>")])
        self.assertEqual(picture.count(f'fill="{chart.COLOURS[OURS]}"'), 2)
        self.assertIn(">250,000</text>", picture)
        self.assertIn("&lt;x&gt;", picture)


class AnswersTest(unittest.TestCase):
    def check(self, case, **counts):
        measure.check_answers(
            {"answers": 100, "ok": 0, "over_limit": 0, "other_code": 0,
             "failed": 0, **counts}, CASES[case])

    def test_right_answers_pass(self):
        self.check("zipf", ok=100)
        self.check("refused", answers=200, ok=100, over_limit=100)

    def test_wrong_answers_fail(self):
        for case, counts in (
                ("zipf", {"ok": 99, "over_limit": 1}),
                ("zipf", {"ok": 99, "failed": 1}),
                ("zipf", {"ok": 99, "other_code": 1}),
                ("zipf", {"answers": 0}),
                ("refused", {"ok": 100}),
                ("refused", {"answers": 200, "ok": 101, "over_limit": 99})):
            with self.assertRaises(measure.Failed, msg=counts):
                self.check(case, **counts)


class CoresTest(unittest.TestCase):
    def test_cores_are_divided(self):
        for cores, server, load, redis in (
                ([3], [3], [3], 3), ([0, 1], [0], [1], 1),
                ([0, 1, 2], [0, 1], [2], 1),
                ([0, 1, 2, 3], [0, 1], [2, 3], 1),
                ([0, 1, 2, 3, 4], [0, 1], [2, 3], 4)):
            found = measure.divided(cores)
            self.assertEqual((found.server, found.load, found.redis),
                             (server, load, redis), cores)


if __name__ == "__main__":
    unittest.main()
