"""Checks that each source includes only headers that its CMake line allows.

layers.py ROOT: reads the rls_module() lines of ROOT/server/CMakeLists.txt, the
rls_test() lines of ROOT/tests, the libraries of the programs, and every #include
in these folders. Prints each breach as file:line and exits with 1 if there is a
breach.
"""

import pathlib
import re
import sys

# A module may depend only on modules of a lower rank (docs/ARCHITECTURE.md).
RANKS = {
    "base": 0,
    "metrics": 1, "limit": 1,
    "store": 2, "rules": 2, "net": 2, "trace": 2,
    "store/memory": 3, "store/lease": 3, "store/redis": 3, "config": 3, "tiers": 3,
    "statsd": 3,
    "limiter": 4, "xds": 4,
    "rpc": 5,
    "rpc/grpc": 6,
    "rpc/lean": 6,
    "http": 5,
    "admin": 6,
    "app": 7,
}

# Third-party headers and the modules that may name them, with the modules in
# their folders. A library has one home, but base computes digests with OpenSSL,
# and gRPC C++ has a server in rpc/grpc and clients in xds and trace. libcurl gets
# for tiers, on an event loop, and posts for trace, on a thread. admin writes JSON,
# and tiers reads it.
HOMES = {
    r"spdlog/": "base",
    r"prometheus/": "metrics",
    r"openssl/(evp|hmac|sha)\.h": "base net",
    r"openssl/(?!(evp|hmac|sha)\.h)": "net",
    r"yaml-cpp/": "config",
    r"grpcpp/|.*\.grpc\.pb\.h": "rpc/grpc trace xds",
    r"grpc/": "rpc",
    r"nghttp2/": "rpc/lean",
    r"google/protobuf/": "rpc xds",
    r"google/rpc/|ratelimit/": "xds",
    r"envoy/": "rpc xds",
    r"opentelemetry/": "trace",
    r"hiredis/": "store/redis",
    r"curl/": "tiers trace",
    r"nlohmann/": "admin tiers",
    r"boost/": "http",
    r"httplib\.h": "tests/support",
    r"CLI/": "app",
}

# Folders of programs and the libraries that they may include. The client and the
# load generator of the tests are gRPC clients with a command line; the client also
# reads a page of the debug port. Benchmarks also
# contain servers to compare with. The support of the tests talks to Redis and
# serves HTTP.
PROGRAMS = {
    "bench": {r"grpcpp/|.*\.grpc\.pb\.h", r"grpc/", r"nghttp2/", r"google/protobuf/", r"envoy/", r"CLI/"},
    "client": {r"grpcpp/|.*\.grpc\.pb\.h", r"grpc/", r"google/protobuf/", r"envoy/", r"CLI/",
               r"curl/", r"nlohmann/"},
    "tests/load": {r"grpcpp/|.*\.grpc\.pb\.h", r"grpc/", r"google/protobuf/", r"envoy/", r"CLI/"},
    "tests/support": {r"hiredis/", r"httplib\.h"},
    "tests/xds_probe": set(),
}

LINKED = re.compile(r"\brls_(\w+)")
INCLUDE = re.compile(r'^\s*#include\s+[<"]([^">]+)[">]')


def read_calls(text, function):
    """(name, {keyword: its words}) of each function(name KEYWORD word...)."""
    text = re.sub(r"#.*", "", text)
    for body in re.findall(function + r"\((.*?)\)", text, re.S):
        words, lists = body.split(), {}
        for word in words[1:]:
            if word in ("SOURCES", "DEPS", "LINKS"):
                lists[word] = []
            else:
                lists[list(lists)[-1]].append(word)
        yield words[0], lists


def read_modules(text):
    """Module name -> the names on its DEPS line."""
    return {name: set(lists.get("DEPS", ()))
            for name, lists in read_calls(text, "rls_module")}


def reachable(modules, names):
    """The modules of these names and all that they depend on."""
    seen, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += modules.get(name, ())
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


def module_of(header, modules):
    """The module whose folder contains the header, or None."""
    folder = header.rpartition("/")[0]
    while folder and folder not in modules:
        folder = folder.rpartition("/")[0]
    return folder or None


def is_home(home, module):
    return module == home or module.startswith(home + "/")


def check_source(root, path, modules, allowed, may_name):
    """may_name(pattern, home): whether the source may include that library."""
    for number, header in includes(path):
        place = f"{path.relative_to(root)}:{number}"
        module = module_of(header, modules)
        if module in modules and module not in allowed:
            yield f"{place}: may not include {header}"
        for pattern, homes in HOMES.items():
            if re.match(pattern, header) and not any(
                    may_name(pattern, home) for home in homes.split()):
                yield f"{place}: {header} belongs to {homes}"


def sources(folder, walk="*"):
    return [path for path in sorted(folder.glob(walk))
            if path.suffix in (".h", ".cc")]


def check_server(root, modules):
    for name in modules:
        allowed = reachable(modules, [name])
        for path in sources(root / "server" / name):
            yield from check_source(root, path, modules, allowed,
                                    lambda _, home: is_home(home, name))
    for path in sources(root / "server"):
        yield from check_source(root, path, modules,
                                reachable(modules, ["app"]), lambda *_: False)
    for folder in sorted((root / "server").glob("**/")):
        name = str(folder.relative_to(root / "server"))
        if name not in modules and sources(folder) and name != ".":
            yield f"server/{name}: a folder without an rls_module() line"


def check_program(root, modules, folder, libraries):
    text = (root / folder / "CMakeLists.txt").read_text()
    linked = set(LINKED.findall(text))
    allowed = reachable(modules, [name for name in modules
                                  if name.replace("/", "_") in linked])
    for path in sources(root / folder, "**/*"):
        yield from check_source(root, path, modules, allowed,
                                lambda pattern, _: pattern in libraries)


def with_headers(root, paths):
    """The paths, and the headers of tests/ that they include, directly or not."""
    seen, waiting = [], list(paths)
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.append(path)
        waiting += [root / "tests" / header for _, header in includes(path)]
    return seen


def check_tests(root, modules):
    """A test may include the libraries of the modules that it tests."""
    text = (root / "tests" / "CMakeLists.txt").read_text()
    for _, lists in read_calls(text, "rls_test"):
        allowed = reachable(modules, lists["DEPS"])
        paths = [root / "tests" / name for name in lists["SOURCES"]]
        for path in with_headers(root, paths):
            yield from check_source(root, path, modules, allowed,
                                    lambda _, home: any(
                                        is_home(home, name)
                                        for name in lists["DEPS"]))


def check(root):
    modules = read_modules((root / "server" / "CMakeLists.txt").read_text())
    breaches = [*check_ranks(modules), *check_server(root, modules),
                *check_tests(root, modules)]
    for folder, libraries in PROGRAMS.items():
        breaches += check_program(root, modules, folder, libraries)
    return breaches


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "no breach")
    sys.exit(1 if found else 0)
