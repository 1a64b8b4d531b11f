"""Keeps files and functions small.

sizes.py ROOT: prints each C++ file, function or line that is larger than it may
be and exits with 1 if there is one. EXCEPTIONS may only shrink: an entry that
allows more than its file needs is a breach too.
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

# What ends with a brace in the column where it began, and is no function.
NO_FUNCTION = re.compile(r" *(namespace|class|struct|enum|union|extern)\b")
RAW_STRING = re.compile(r'R"(\w*)\(.*?\)\1"', re.S)


def code_lines(text):
    """The lines of a source; of the texts in raw strings only their number."""
    indented = "\n" + " " * COLUMNS
    return RAW_STRING.sub(lambda raw: indented * raw.group().count("\n"),
                          text).splitlines()


def column(line):
    return len(line) - len(line.lstrip())


def function_lengths(lines):
    """(first line, length) of each function definition, signature included.

    clang-format sees to it that the brace that ends a definition stands in the
    column where its signature begins, and that all between is farther right.
    Blocks inside a function are given too: they are never the longer ones.
    """
    for end, line in enumerate(lines):
        if line.strip() != "}":
            continue
        start = end - 1
        while start > 0 and (not lines[start].strip() or
                             lines[start].startswith("#") or
                             column(lines[start]) > column(line)):
            start -= 1
        if not NO_FUNCTION.match(lines[start]):
            yield start + 1, end - start + 1


def allowed_lines(name, suffix):
    if name.startswith("tests/"):
        return TEST_FILE_LINES
    return min(EXCEPTIONS.get(name, FILE_LINES[suffix]),
               HARD_FILE_LINES[suffix])


def check_file(name, suffix, text):
    lines = text.splitlines()
    most = allowed_lines(name, suffix)
    if len(lines) > most:
        yield f"{name}: {len(lines)} lines, at most {most}"
    if len(lines) < EXCEPTIONS.get(name, 0):
        yield f"{name}: needs an exception of {len(lines)} lines at most"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS and "#include" not in line:
            yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
    for number, length in function_lengths(code_lines(text)):
        if length > FUNCTION_LINES:
            yield (f"{name}:{number}: a function of {length} lines, "
                   f"at most {FUNCTION_LINES}")


def check(root):
    breaches = []
    for folder in ("server", "client", "tests", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in FILE_LINES:
                name = str(path.relative_to(root))
                breaches += check_file(name, path.suffix, path.read_text())
    return breaches


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "no breach")
    sys.exit(1 if found else 0)
