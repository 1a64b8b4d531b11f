"""The servers and the cases of the comparison."""

import dataclasses
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Kinds of servers.
OURS, EMPTY, PEER = "ours", "empty", "peer"

# For the case "refused", in which one call of each key is allowed.
REFUSED_DOMAIN, REFUSED_KEYS = "bench-refused", 100


@dataclasses.dataclass(frozen=True)
class Server:
    """A server, described by the command that starts it.

    Placeholders of the command: {port}: the port to serve. {free}: any other
    free port. {cores}: the number of its cores. {redis}: the host:port of a
    Redis, which is started for the server. {config}: the --config options of
    ratelimitd. {rules}: a folder with the same rules in the layout of
    envoyproxy/ratelimit.
    """
    name: str
    command: str
    kind: str

    @property
    def has_redis(self):
        return "{redis}" in self.command


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    connections: int = 8
    streams: int = 32  # on each connection
    keys: int = 100_000
    zipf: float = 0
    load: tuple = ()  # further options of the load generator
    refused: bool = False
    rules: int = 0  # the number of generated rules; 0: bench.yaml
    leased: bool = False  # the rules of bench.yaml with leases
    cores: int = 1
    rate: float = 0  # open loop: calls per second
    share_of_peak: float = 0  # open loop: rate as a share of the base case

    @property
    def open_loop(self):
        return self.rate > 0 or self.share_of_peak > 0

    def takes(self, server):
        """Whether this server can run the case. Only ratelimitd reads generated
        rules and leases, and an empty server refuses nothing."""
        if self.leased:
            return server.kind == OURS and server.has_redis
        if self.rules:
            return server.kind == OURS and not server.has_redis
        return not (self.refused and server.kind == EMPTY)


def servers(build):
    """The servers of a build: ratelimitd and the empty servers."""
    ours = (f"{build}/server/ratelimitd {{config}}"
            " --grpc-address 127.0.0.1:{port} --http-address 127.0.0.1:0"
            " --debug-address 127.0.0.1:0 --log-level error --transport ")
    # A closed loop has many calls in flight, which may wait longer than in
    # production. The long timeout keeps their answers.
    redis = "env REDIS_TIMEOUT=5s REDIS_URL=redis://{redis} "
    return [
        Server("lean, memory", ours + "lean", OURS),
        Server("grpc, memory", ours + "grpc", OURS),
        Server("lean, Redis", redis + ours + "lean", OURS),
        Server("grpc, Redis", redis + ours + "grpc", OURS),
        Server("empty nghttp2", f"{build}/bench/empty_h2 {{port}} {{cores}}",
               EMPTY),
        Server("empty gRPC", f"{build}/bench/empty_grpc {{port}} {{cores}}",
               EMPTY),
    ]


BASE = "zipf"
CASES = {case.name: case for case in (
    Case(BASE, "100,000 keys (Zipf)", zipf=1),
    Case("uniform", "100,000 keys, uniform"),
    Case("hot", "1 hot key", keys=1),
    Case("hot-leased", "1 hot key, leased", keys=1, leased=True),
    Case("zipf-leased", "100,000 keys (Zipf), leased", zipf=1, leased=True),
    Case("five", "5 descriptors", zipf=1, load=("--descriptors", "5")),
    Case("refused", "refused", keys=REFUSED_KEYS, refused=True,
         load=("--domain", REFUSED_DOMAIN)),
    Case("timeout", "with grpc-timeout", zipf=1, load=("--timeout", "1S")),
    Case("single", "one call at a time", connections=1, streams=1, zipf=1),
    Case("many", "256 connections, 1 call each", connections=256, streams=1,
         zipf=1),
    Case("low", "open loop, 2,000 a second", zipf=1, rate=2000),
    Case("open", "open loop, 70% of peak", streams=128, zipf=1,
         share_of_peak=0.7),
    Case("rules-10", "10 rules, 10 keys", keys=10, rules=10),
    Case("rules-100000", "100,000 rules, 10 of them used", keys=10,
         rules=100_000),
    Case("rules-used", "100,000 rules, all used", rules=100_000),
    Case("two-cores", "server on two cores", zipf=1, cores=2),
)}
# The cases that the targets need.
QUICK = (BASE, "single", "open", "rules-10", "rules-100000", "two-cores")


def refused_rules():
    return (f"domain: {REFUSED_DOMAIN}\ndescriptors:\n"
            "  - {key: user, rate_limit: {unit: year, requests_per_unit: 1}}\n")


def leased_rules():
    rules = (ROOT / "bench/bench.yaml").read_text()
    return rules.replace("}}", ", lease: {}}}")


def many_rules(count):
    return "domain: bench\ndescriptors:\n" + "".join(
        f"  - {{key: user, value: u{number}, rate_limit: "
        "{unit: hour, requests_per_unit: 4294967295}}\n"
        for number in range(count))


def write_rules(folder):
    """Writes the rules of all cases into the folder {rules}: config/ for all
    servers, and files beside it for the cases that only ratelimitd runs."""
    folder = pathlib.Path(folder)
    config = folder / "config"
    config.mkdir()
    shutil.copy(ROOT / "bench/bench.yaml", config)
    (config / "refused.yaml").write_text(refused_rules())
    (folder / "leased.yaml").write_text(leased_rules())
    for count in {case.rules for case in CASES.values()} - {0}:
        (folder / f"rules-{count}.yaml").write_text(many_rules(count))


def config_options(case, folder):
    """The --config options of ratelimitd for a case."""
    name = ("leased.yaml" if case.leased else
            f"rules-{case.rules}.yaml" if case.rules else "config")
    return f"--config {folder}/{name}"
