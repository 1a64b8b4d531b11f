"""Keeps files and functions small.

sizes.py ROOT: prints each C++ file, function or line that is larger than it may
be and exits with 1 if there is one. EXCEPTIONS may only shrink: an entry that
is no longer needed is a breach too.
"""

import pathlib
import re
import sys

FILE_LINES = {".h": 150, ".cc": 250}
HARD_FILE_LINES = {".h": 250, ".cc": 400}
TEST_FILE_LINES = 500
FUNCTION_LINES = 70
COLUMNS = 80

# File -> lines that it may have, up to the hard limit.
EXCEPTIONS = {}

# A definition begins at column 0 (or two in, inside a class) and its closing
# brace stands in the same column: clang-format sees to that.
OPENING = re.compile(r"^( {0,2})(?!namespace|class|struct|enum|extern|using)"
                     r"[^\s/#}].*\) ?(?:const|override|noexcept|mutable|\s|->.*|"
                     r"ABSL_\w+(?:\(.*\))?)*\{$")


def function_lengths(lines):
    """(first line, length) of each function definition."""
    start, indent = None, ""
    for number, line in enumerate(lines, 1):
        if start is None:
            match = OPENING.match(line)
            if match:
                start, indent = number, match.group(1)
        elif line.rstrip() == indent + "}":
            yield start, number - start + 1
            start = None


def allowed_lines(name, suffix):
    if name.startswith("tests/"):
        return TEST_FILE_LINES
    return min(EXCEPTIONS.get(name, FILE_LINES[suffix]),
               HARD_FILE_LINES[suffix])


def check_file(name, suffix, lines):
    most = allowed_lines(name, suffix)
    if len(lines) > most:
        yield f"{name}: {len(lines)} lines, at most {most}"
    if name in EXCEPTIONS and len(lines) <= FILE_LINES[suffix]:
        yield f"{name}: needs no exception any more"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS and "#include" not in line:
            yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
    for number, length in function_lengths(lines):
        if length > FUNCTION_LINES:
            yield (f"{name}:{number}: a function of {length} lines, "
                   f"at most {FUNCTION_LINES}")


def check(root):
    breaches = []
    for folder in ("server", "client", "tests", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in FILE_LINES:
                name = str(path.relative_to(root))
                lines = path.read_text().splitlines()
                breaches += check_file(name, path.suffix, lines)
    return breaches


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "no breach")
    sys.exit(1 if found else 0)
