"""The memory of the server. A sanitizer would falsify it."""

import os
import subprocess
import unittest

import harness


class ConfigurationTest(harness.ProcessTest):
    def test_a_huge_file_is_refused_in_bounded_memory(self):
        config = self.write("a.yaml", "- a\n" * 5_100_000)
        process = subprocess.Popen(
            [harness.SERVER, "--config", config], stderr=subprocess.PIPE)
        error = process.stderr.read().decode()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(error, f"{config}:2500000: more than 2500000 nodes, "
                         "with those that aliases repeat\n")
        self.assertLess(usage.ru_maxrss, 200 << 10)  # KiB


if __name__ == "__main__":
    unittest.main()
