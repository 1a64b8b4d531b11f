"""Proves that the modules of server/ include only what their DEPS allow.

layers.py ROOT: reads the rls_module() lines of ROOT/server/CMakeLists.txt and
every #include below server/, client/ and tests/. Prints each breach as
file:line and exits with 1 if there is one.
"""

import pathlib
import re
import sys

# A module may depend on lower ranks only (docs/ARCHITECTURE.md).
RANKS = {
    "base": 0,
    "metrics": 1, "limit": 1,
    "store": 2, "rules": 2,
    "store_memory": 3, "config": 3,
    "limiter": 4,
    "rpc": 5,
    "admin": 6,
    "app": 7,
}

# Third-party headers and the one module that may name them.
HOMES = {
    r"spdlog/": "base",
    r"prometheus/": "metrics",
    r"yaml-cpp/": "config",
    r"grpc": "rpc",
    r"google/protobuf/": "rpc",
    r"envoy/": "rpc",
    r"httplib\.h": "admin",
    r"CLI/": "app",
}

MODULE = re.compile(r"rls_module\(\s*(\w+)(.*?)\)", re.S)
INCLUDE = re.compile(r'^\s*#include\s+[<"]([^">]+)[">]')


def read_modules(text):
    """Module name -> the names on its DEPS line."""
    modules = {}
    for name, body in MODULE.findall(re.sub(r"#.*", "", text)):
        deps = re.search(r"\bDEPS\b(.*?)(?=\b(?:SOURCES|LINKS)\b|$)", body, re.S)
        modules[name] = set(deps.group(1).split()) if deps else set()
    return modules


def reachable(modules, name):
    seen, waiting = set(), [name]
    while waiting:
        for dep in modules.get(waiting.pop(), ()):
            if dep not in seen:
                seen.add(dep)
                waiting.append(dep)
    return seen


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def check_ranks(modules):
    for name, deps in modules.items():
        if name not in RANKS:
            yield f"server/CMakeLists.txt: module {name} has no rank"
            continue
        for dep in deps:
            if RANKS.get(dep, 99) >= RANKS[name]:
                yield (f"server/CMakeLists.txt: {name} depends on {dep}, "
                       "which is not of a lower rank")


def check_module(root, modules, name):
    allowed = reachable(modules, name) | {name}
    for path in sorted((root / "server" / name).rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        for number, header in includes(path):
            place = f"{path.relative_to(root)}:{number}"
            target = header.split("/")[0]
            if target in modules and target not in allowed:
                yield f"{place}: {name} may not include {header}"
            for pattern, home in HOMES.items():
                if re.match(pattern, header) and home != name:
                    yield f"{place}: {header} belongs to {home}"


def check(root):
    text = (root / "server" / "CMakeLists.txt").read_text()
    modules = read_modules(text)
    breaches = list(check_ranks(modules))
    for name in modules:
        breaches += check_module(root, modules, name)
    folders = {p.name for p in (root / "server").iterdir() if p.is_dir()}
    for stray in sorted(folders - set(modules)):
        breaches.append(f"server/{stray}: a folder without an rls_module() line")
    return breaches


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "no breach")
    sys.exit(1 if found else 0)
