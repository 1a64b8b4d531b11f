"""Proves that no test waits by sleeping.

sleeps.py ROOT: prints each call of a sleep function in ROOT/tests outside the
files in HELPERS and exits with 1 if there is one. A test waits for a condition;
where time itself is tested it uses let_time_pass() of integration/harness.py.
"""

import pathlib
import re
import sys

# The helpers that poll a condition or let time pass.
HELPERS = (
    "tests/integration/harness.py",
    "tests/support/redis_process.cc",
    "tests/support/wait_until.h",
)
SUFFIXES = (".cc", ".go", ".h", ".java", ".py")
SLEEP = re.compile(r"\b\w*sleep\w*\s*\(", re.I)


def check(root):
    breaches = []
    for path in sorted((root / "tests").rglob("*")):
        name = str(path.relative_to(root))
        if (path.suffix not in SUFFIXES or name in HELPERS
                or name.startswith("tests/checks/")):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if SLEEP.search(line):
                breaches.append(f"{name}:{number}: a test must not sleep: wait "
                                "for a condition, or use let_time_pass()")
    return breaches


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "no breach")
    sys.exit(1 if found else 0)
