"""Writes medians, ratios and targets as Markdown."""

import statistics
import textwrap

from cases import BASE, CASES, PEER

# If the load generator is busy for a larger share of the time than this, it may
# limit the rate. The processor time of an answer is still valid.
LOAD_LIMIT = 0.95
LEAN = "lean, memory"
COLUMNS = (
    ("decisions/s", "per_s", 0), ("CPU us", "cpu_us", 2),
    ("Redis CPU us", "redis_cpu_us", 2), ("p50 us", "p50_us", 0),
    ("p99 us", "p99_us", 0), ("p99.9 us", "p999_us", 0),
)


class Results:
    """Maps (case, server) to the figures of each round. A failed round has
    None."""

    def __init__(self):
        self.rounds = {}
        self.failures = {}  # (case, server) -> the last reason

    def add(self, case, server, figures):
        self.rounds.setdefault((case, server), []).append(figures)

    def fail(self, case, server, reason):
        self.add(case, server, None)
        self.failures[case, server] = reason

    def last(self, case, server):
        """The figures of the last round, or None."""
        return (self.rounds.get((case, server)) or [None])[-1]

    def values(self, case, server, figure):
        return [figures[figure] for figures in self.rounds.get(
            (case, server), ()) if figures and figure in figures]

    def median(self, case, server, figure):
        values = self.values(case, server, figure)
        return statistics.median(values) if values else None

    def paired(self, one, other, combine):
        """combine(figures, figures) of each round with figures of both (case,
        server). A disturbance of a round affects both."""
        pairs = zip(self.rounds.get(one, ()), self.rounds.get(other, ()))
        return [combine(a, b) for a, b in pairs if a and b]


def ratio(figure):
    """For Results.paired(): the ratio of a figure, first to second."""
    # A processor time is 0 if the run was shorter than the kernel's tick.
    return lambda a, b: a[figure] / b[figure] if b[figure] else float("inf")


def spread(values, digits):
    """Median and range."""
    if not values:
        return "-"
    low, middle, high = (f"{value:,.{digits}f}" for value in (
        min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}-{high})"


def table(head, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in (
        head, ["---"] * len(head), *rows)) + "\n"


# ---- targets ----

def target(text, wanted, values, keeps, digits=2, unit="", beside=()):
    """A row: the text, the wanted and the measured value, the ratio of the
    rates, and whether the median of `values` keeps the target."""
    if not values:
        return [text, wanted, "-", "-", "not measured"]
    kept = keeps(statistics.median(values))
    return [text, wanted, spread(values, digits) + unit, spread(beside, 2),
            "kept" if kept else "**missed**"]


def times_target(results, text, least, one, other, mark=None):
    """The ratio of the processor times of two servers in the base case."""
    one, other = (BASE, one), (BASE, other)
    return target(text, f">= {least}" + (f" (mark {mark})" if mark else ""),
                  results.paired(other, one, ratio("cpu_us")),
                  lambda value: value >= least,
                  beside=results.paired(one, other, ratio("per_s")))


def peer_targets(results, servers):
    for peer in servers:
        if peer.kind != PEER or not peer.has_redis:
            continue
        yield times_target(results, f"lean, Redis / {peer.name}", 8,
                           "lean, Redis", peer.name)
        yield target(f"the same: Redis CPU of a decision, ours / {peer.name}",
                     "<= 0.25",
                     results.paired((BASE, "lean, Redis"), (BASE, peer.name),
                                    ratio("redis_cpu_us")),
                     lambda value: value <= 0.25)


def two_cores_target(results):
    row = target("lean, memory, rate on two cores / on one", ">= 1.8",
                 results.paired(("two-cores", LEAN), (BASE, LEAN),
                                ratio("per_s")),
                 lambda value: value >= 1.8)
    if (results.median("two-cores", LEAN, "load_busy") or 0) > LOAD_LIMIT:
        row[-1] += ", limited by the load"
    return row


def single_target(results):
    return target(
        "lean, memory, one call at a time: p50 above the empty nghttp2 service",
        "<= 10 us",
        results.paired(("single", LEAN), ("single", "empty nghttp2"),
                       lambda a, b: a["p50_us"] - b["p50_us"]),
        lambda value: value <= 10, digits=1, unit=" us")


def open_target(results):
    return target("lean, memory, open loop at 70% of peak: p99", "< 1,000 us",
                  results.values("open", LEAN, "p99_us"),
                  lambda value: value < 1000, digits=0, unit=" us")


def rules_target(results):
    return target("lean, memory, CPU with 10 rules / with 100,000, 10 of them"
                  " used", ">= 0.9",
                  results.paired(("rules-10", LEAN), ("rules-100000", LEAN),
                                 ratio("cpu_us")),
                  lambda value: value >= 0.9)


def targets(results, servers):
    return [
        times_target(results, "lean, memory / empty gRPC", 5, LEAN,
                     "empty gRPC", mark=6),
        times_target(results, "lean, memory / empty nghttp2", 0.75, LEAN,
                     "empty nghttp2"),
        times_target(results, "grpc, memory / empty gRPC", 0.85,
                     "grpc, memory", "empty gRPC"),
        *peer_targets(results, servers),
        two_cores_target(results),
        single_target(results),
        open_target(results),
        rules_target(results),
    ]


# ---- the report ----

def case_rows(results, case, servers):
    for server in servers:
        key = (case.name, server.name)
        if key not in results.rounds:
            continue
        if not any(results.rounds[key]):
            yield [server.name, f"failed: {results.failures[key]}"] + (
                ["-"] * len(COLUMNS))
            continue
        busy = results.median(*key, "load_busy")
        late = " !" if busy > LOAD_LIMIT and not case.open_loop else ""
        yield [server.name,
               *(spread(results.values(*key, figure), digits)
                 for _, figure, digits in COLUMNS), f"{busy:.2f}{late}"]


def case_title(case):
    shape = f"{case.connections} connections, {case.streams} calls each"
    if case.name in ("single", "many"):
        return case.title
    return f"{case.title}; {shape}"


def paragraph(text):
    return textwrap.fill(text, 120) + "\n"


def markdown(results, servers, facts):
    parts = ["".join(f"* {name}: {value}\n" for name, value in facts),
             paragraph("A ratio is the median of the ratios of all rounds. It"
                       " compares the server's processor time for a decision,"
                       " because other work on the machine disturbs this figure"
                       " least. The column `by rate` compares the rates."),
             table(["target", "wanted", "measured", "by rate", ""],
                   targets(results, servers))]
    head = ["server", *(title for title, _, _ in COLUMNS), "load busy"]
    for case in CASES.values():
        rows = list(case_rows(results, case, servers))
        if rows:
            parts.append(f"## {case_title(case)}\n\n" + table(head, rows))
    if any(" !" in part for part in parts):
        parts.append(paragraph("`!`: the load generator was busy all the time"
                               " and may limit the rate. The processor time is"
                               " valid."))
    return "\n".join(parts)


def ours_failed(results, servers):
    """Whether a server that is not a peer has failed."""
    peers = {server.name for server in servers if server.kind == PEER}
    return any(server not in peers for _, server in results.failures)
