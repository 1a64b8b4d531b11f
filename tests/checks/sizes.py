"""Keeps files, functions, modules and documents small.

sizes.py ROOT: prints each C++ file, function or line and each line of a document
that is larger than allowed, and each module whose number of files or types is
not the number in MODULES. Exits with 1 if there is such a breach.
sizes.py --print ROOT: prints MODULES with the numbers of ROOT, to paste below.
"""

import pathlib
import re
import sys

FILE_LINES = {".h": 250, ".cc": 400}
TEST_FILE_LINES = 500
FUNCTION_LINES = 70
COLUMNS = 80
DOCUMENT_COLUMNS = 120

# Each module of server/: (files, types). The numbers may only fall. A new idea
# that needs a file or a type raises its number here, where a reviewer sees it.
MODULES = {
    "admin": (14, 20),
    "app": (26, 22),
    "base": (17, 17),
    "config": (32, 42),
    "http": (14, 25),
    "limit": (16, 22),
    "limiter": (27, 50),
    "metrics": (10, 23),
    "net": (26, 48),
    "rpc": (18, 27),
    "rpc/grpc": (6, 13),
    "rpc/lean": (25, 30),
    "rules": (21, 55),
    "statsd": (4, 7),
    "store": (4, 4),
    "store/lease": (6, 14),
    "store/memory": (4, 9),
    "store/redis": (30, 67),
    "tiers": (14, 26),
    "trace": (13, 20),
    "xds": (12, 21),
}

# A definition of a class, struct, union or enum; not a forward declaration, and
# not a parameter or a variable of such a type.
TYPE = re.compile(r"^\s*(?:template\s*<[^;{]*>\s*)?(?:typedef\s+)?"
                  r"(?:class|struct|union|enum(?:\s+class)?)\s+"
                  r"[^;(){}=]*\{", re.M)
COMMENT = re.compile(r"//.*")
# A block that ends with a brace in the column where it began, but is not a
# function.
NO_FUNCTION = re.compile(r" *(namespace|class|struct|enum|union|extern)\b")
RAW_STRING = re.compile(r'R"(\w*)\(.*?\)\1"', re.S)


def code_lines(text):
    """The lines of a source. The lines of a raw string become blank."""
    indented = "\n" + " " * COLUMNS
    return RAW_STRING.sub(lambda raw: indented * raw.group().count("\n"),
                          text).splitlines()


def column(line):
    return len(line) - len(line.lstrip())


def function_lengths(lines):
    """(first line, length) of each function definition, signature included.

    This relies on clang-format: the closing brace of a definition stands in the
    column where its signature begins, and all lines between are farther right.
    The result contains blocks inside a function too. They are always shorter
    than the function.
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
    return FILE_LINES[suffix]


def check_file(name, suffix, text):
    lines = text.splitlines()
    most = allowed_lines(name, suffix)
    if len(lines) > most:
        yield f"{name}: {len(lines)} lines, at most {most}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS and "#include" not in line:
            yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
    for number, length in function_lengths(code_lines(text)):
        if length > FUNCTION_LINES:
            yield (f"{name}:{number}: a function of {length} lines, "
                   f"at most {FUNCTION_LINES}")


def module_sizes(root):
    """{module: (files, types)} of each folder of server/ that has sources."""
    sizes = {}
    for path in sorted((root / "server").glob("*/**/*")):
        if path.suffix in FILE_LINES:
            module = str(path.parent.relative_to(root / "server"))
            files, types = sizes.get(module, (0, 0))
            text = COMMENT.sub("", "\n".join(code_lines(path.read_text())))
            sizes[module] = files + 1, types + len(TYPE.findall(text))
    return sizes


def check_modules(sizes, expected):
    for module in sorted({*sizes, *expected}):
        found = sizes.get(module, (0, 0))
        for kind, now, most in zip(("files", "types"), found,
                                   expected.get(module, (0, 0))):
            if now > most:
                yield (f"server/{module}: {now} {kind}, at most {most}: merge, "
                       "or raise the number in MODULES of sizes.py and give "
                       "the reason in the commit message")
            elif now < most:
                yield (f"server/{module}: {now} {kind}, fewer than {most}: "
                       "lower the number in MODULES of sizes.py")


def wide_lines(text):
    """(number, columns) of each line of Markdown that is too wide. Tables, code
    blocks and lines that a link makes wide may have any width."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and fence is None:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = None
        elif fence is None and not line.lstrip().startswith("|"):
            words = re.sub(r"\]\([^)]*\)|\]: \S+|<?https?://\S+", "", line)
            if len(words) > DOCUMENT_COLUMNS:
                yield number, len(words)


def documents(root):
    """The Markdown files of the tree, without hidden and built folders."""
    for path in sorted(root.rglob("*.md")):
        folders = path.relative_to(root).parts[:-1]
        if not any(name.startswith(".") or name == "build" for name in folders):
            yield path


def check_documents(root):
    for path in documents(root):
        for number, columns in wide_lines(path.read_text()):
            yield (f"{path.relative_to(root)}:{number}: {columns} columns, "
                   f"at most {DOCUMENT_COLUMNS}")


def check(root, modules):
    breaches = []
    for folder in ("server", "client", "tests", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in FILE_LINES:
                name = str(path.relative_to(root))
                breaches += check_file(name, path.suffix, path.read_text())
    breaches += check_modules(module_sizes(root), modules)
    breaches += check_documents(root)
    return breaches


def table(sizes):
    lines = [f'    "{module}": {numbers},' for module, numbers in sizes.items()]
    return "\n".join(["MODULES = {", *lines, "}"])


if __name__ == "__main__":
    if sys.argv[1] == "--print":
        print(table(module_sizes(pathlib.Path(sys.argv[2]))))
        sys.exit(0)
    found = check(pathlib.Path(sys.argv[1]), MODULES)
    print("\n".join(found) or "no breach")
    sys.exit(1 if found else 0)
