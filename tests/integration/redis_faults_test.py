"""The answers that clients get during faults of Redis and of the network to it.

Each case starts a Redis, a proxy if needed, and three servers. It sends a
steady load to all three servers, causes a fault, and repairs it. The tests
print a table of all cases at the end.
"""

import collections
import contextlib
import threading
import time
import unittest

from harness import ProcessTest, free_port, let_time_pass, wait_for
from redis_harness import (Load, Names, Proxy, Redis, RedisError, end_ns,
                           log_lines, metric, quantile_ms, result,
                           wait_until_ready)

REPLICAS = 3
POLICIES = ("error", "allow", "deny", "local")
RATE = 1500          # calls a second over all policies and servers
FAULT_S = 1.0        # how long a fault lasts
AFTER_S = 1.5        # how long the load continues after it
NOTICED_S = 0.1      # by when each server has noticed the fault
# A server is back after STEADY answers in a row of which STEADY_SHARE are OK.
# Not all need to be OK, because the default timeout is short for a busy
# machine.
STEADY = 10
STEADY_SHARE = 0.6
LOG_LINES = 20       # at most, of each server during a fault
CONNECTS = 12        # at most, of each server during a fault

# Each policy has a different algorithm, so that both scripts run.
CONFIG = """
domain: faults
descriptors:
  - key: error
    rate_limit: {window: 365d, requests_per_unit: 4000000000}
  - key: allow
    rate_limit: {window: 365d, requests_per_unit: 4000000000,
                 algorithm: sliding_window, on_backend_error: allow}
  - key: deny
    rate_limit: {window: 1h, requests_per_unit: 3600000000, burst: 1000000,
                 algorithm: token_bucket, on_backend_error: deny}
  - key: local
    rate_limit: {window: 365d, requests_per_unit: 4000000000, burst: 5,
                 on_backend_error: local}
"""

PLAN = [("faults", f"{policy}=user{user}") for user in range(10)
        for policy in POLICIES]

# The answers that a client may get for each policy while Redis is away.
ALLOWED = {
    "error": {"OK", "UNAVAILABLE"},
    "allow": {"OK"},
    "deny": {"OK", "OVER_LIMIT"},
    "local": {"OK"},
}


class World:
    """The processes of one case."""

    def __init__(self, test, way):
        self.redis = Redis(test.folder / "redis", "--enable-debug-command",
                           "yes")
        test.addCleanup(self.redis.stop)
        # Both use the same port, so a host name can point to either.
        self.other = Redis(test.folder / "other", host="127.0.0.2",
                           port=self.redis.port)
        test.addCleanup(self.other.stop)
        self.proxy = Proxy((self.redis.host, self.redis.port))
        test.addCleanup(self.proxy.stop)
        self.names = Names(test.folder, self.redis.host)
        config = test.write("faults.yaml", CONFIG)
        url = {"direct": self.redis.url, "proxy": self.proxy.url,
               "name": f"redis://{Names.HOST}:{self.redis.port}"}[way]
        # One loop has one connection to Redis; the bounds are for one
        # connection.
        environment = {"GRPC_THREADS": "1"}
        if way == "name":
            environment |= self.names.environment
        self.servers = [
            test.start_server("--config", config, "--redis-url", url,
                              environment=environment)
            for _ in range(REPLICAS)]
        for server in self.servers:
            wait_until_ready(server)


def set_mode(name, **settings):
    def begin(world):
        for key, value in settings.items():
            setattr(world.proxy, key, value)
        world.proxy.mode = getattr(world.proxy, name)
    return begin


def repair_network(world):
    world.proxy.mode = world.proxy.forward


def save_many_keys(world):
    world.redis.command("DEBUG", "POPULATE", 10_000)
    world.redis.command("SAVE")


def start_with_many_keys(world):
    world.redis.kill()
    world.redis.start("--key-load-delay", "100",
                      "--loading-process-events-interval-bytes", "1024",
                      wait=False)


def wait_until_loaded(world):
    def loaded():
        with contextlib.suppress(OSError):
            return world.redis.info("persistence")["loading"] == "0"
    wait_for("the end of loading", loaded)


def follow_other(world):
    world.redis.command("REPLICAOF", world.other.host, world.other.port)


def follow_nobody(world):
    world.redis.command("REPLICAOF", "NO", "ONE")


def follow_a_dead_master(world):
    world.redis.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    world.redis.command("REPLICAOF", "127.0.0.1", free_port())


def send_to_other(world):
    world.proxy.target = (world.other.host, world.other.port)


def point_to_other(world):
    world.names.point_to(world.other.host)


def ask_for_a_password(world):
    world.redis.command("CONFIG", "SET", "requirepass", "secret")
    world.redis.password = "secret"
    world.redis.command("CLIENT", "KILL", "TYPE", "normal")


def ask_for_no_password(world):
    world.redis.command("CONFIG", "SET", "requirepass", "")
    world.redis.password = None


def allow_no_scripts(world):
    world.redis.command("ACL", "SETUSER", "default", "-evalsha")


def allow_scripts(world):
    world.redis.command("ACL", "SETUSER", "default", "+evalsha")


def allow_one_client(world):
    world.only_client = world.redis.connect()
    command = world.only_client.__enter__()
    command("CONFIG", "SET", "maxclients", 1)
    command("CLIENT", "KILL", "TYPE", "normal")
    world.allow_more = lambda: command("CONFIG", "SET", "maxclients", 1000)


def allow_many_clients(world):
    world.allow_more()
    world.only_client.__exit__(None, None, None)


def run_an_endless_script(world):
    world.redis.command("CONFIG", "SET", "busy-reply-threshold", "20")

    def run():
        with contextlib.suppress(RedisError):
            world.redis.command("EVAL", "while true do end", 0)

    world.script = threading.Thread(target=run)
    world.script.start()


def kill_the_script(world):
    world.redis.command("SCRIPT", "KILL")
    world.script.join()


def flush_scripts(world):
    for _ in range(5):
        world.redis.command("SCRIPT", "FLUSH")
        let_time_pass(FAULT_S / 10, "calls between two flushes")


def kill_clients(world):
    world.redis.command("CLIENT", "KILL", "TYPE", "normal")


def nothing(_):
    pass


Case = collections.namedtuple(
    "Case", "name begin end prepare way outage heals", defaults=(
        nothing,   # prepare: runs before the load starts
        "direct",  # way: how servers reach Redis; also "proxy", "name"
        True,      # outage: between begin and end Redis cannot answer
        False,     # heals: the fault ends without `end`
    ))

CASES = [
    Case("kill -9, start again",
         lambda world: world.redis.kill(), lambda world: world.redis.start()),
    Case("SIGSTOP, SIGCONT",
         lambda world: world.redis.pause(),
         lambda world: world.redis.resume()),
    Case("LOADING", start_with_many_keys, wait_until_loaded,
         prepare=save_many_keys),
    Case("READONLY", follow_other, follow_nobody),
    Case("MASTERDOWN", follow_a_dead_master, follow_nobody),
    Case("NOAUTH", ask_for_a_password, ask_for_no_password),
    Case("NOPERM", allow_no_scripts, allow_scripts),
    Case("too many clients", allow_one_client, allow_many_clients),
    Case("OOM",
         lambda world: world.redis.command("CONFIG", "SET", "maxmemory", 1),
         lambda world: world.redis.command("CONFIG", "SET", "maxmemory", 0)),
    Case("BUSY", run_an_endless_script, kill_the_script),
    Case("SCRIPT FLUSH", flush_scripts, nothing, outage=False, heals=True),
    Case("CLIENT KILL", kill_clients, nothing, outage=False, heals=True),
    Case("replies 1 ms late", set_mode("slow", delay_s=0.001), repair_network,
         way="proxy", outage=False),
    Case("replies 50 ms late", set_mode("slow", delay_s=0.05), repair_network,
         way="proxy"),
    Case("packets lost", set_mode("drop"), repair_network, way="proxy"),
    Case("half-open", set_mode("half_open"), repair_network, way="proxy",
         outage=False, heals=True),
    Case("reset in a reply", set_mode("cut"), repair_network, way="proxy"),
    Case("bytes of replies lost", set_mode("lose"), repair_network,
         way="proxy", outage=False),
    Case("not RESP", set_mode("answer", canned=b"HTTP/1.1 400 Bad\r\n\r\n"),
         repair_network, way="proxy"),
    Case("CLUSTERDOWN",
         set_mode("answer", canned=b"-CLUSTERDOWN The cluster is down\r\n"),
         repair_network, way="proxy"),
    Case("failover to another address", follow_other, send_to_other,
         way="proxy"),
    Case("name points elsewhere", lambda world: world.redis.kill(),
         point_to_other, way="name"),
]

Row = collections.namedtuple(
    "Row",
    "case policy answers p50 p99 max back ready connects log_lines")
TABLE = []


def policy_of(record):
    return PLAN[record.line][1].split("=")[0]


def of_policy(records, policy):
    return [record for record in records if policy_of(record) == policy]


def back_after_ms(records, since_ns):
    """The time from `since_ns` until all servers serve steadily again, or None
    if a server does not."""
    backs = []
    for server in range(REPLICAS):
        calls = [record for record in of_policy(records, "error")
                 if record.server == server and record.start_ns >= since_ns]
        for first in range(len(calls) - STEADY + 1):
            if (result(calls[first]) == "OK" and
                    share_ok(calls[first:first + STEADY]) >= STEADY_SHARE):
                backs.append((end_ns(calls[first]) - since_ns) / 1e6)
                break
    return max(backs) if len(backs) == REPLICAS else None


class FaultsTest(ProcessTest):
    """One test for each case. The end of this file adds them."""

    def check(self, case):
        world = World(self, case.way)
        case.prepare(world)
        load = Load(self.folder, world.servers, PLAN, rate=RATE)
        let_time_pass(FAULT_S / 2, "calls before the fault")
        connects = world.proxy.accepted
        lines = sum(map(log_lines, world.servers))
        begin = time.monotonic_ns()
        case.begin(world)
        let_time_pass(FAULT_S - (time.monotonic_ns() - begin) / 1e9,
                      "the rest of the fault")
        ready = self.probe(world)
        end = time.monotonic_ns()
        connects = world.proxy.accepted - connects
        lines = sum(map(log_lines, world.servers)) - lines
        case.end(world)
        healed = begin if case.heals else time.monotonic_ns()
        let_time_pass(AFTER_S, "calls after the fault")
        records = load.stop()
        for server in world.servers:
            wait_until_ready(server)
        back = back_after_ms(records, healed)
        during = [record for record in records
                  if end_ns(record) > begin and record.start_ns < end]
        for policy in POLICIES:
            self.add_row(case, policy, of_policy(during, policy), back, ready,
                         connects, lines)
        self.check_answers(case, records, during, begin, end)
        self.check_metrics(world, records)
        self.assertIsNotNone(back, "some server never came back")
        self.assertLess(back, 1000 * AFTER_S)
        self.assertLessEqual(lines, LOG_LINES * REPLICAS)
        self.assertLessEqual(connects, CONNECTS * REPLICAS)

    def probe(self, world):
        """The states of the stores of all servers, e.g. "away": the second
        line of /ready. The status is always 200."""
        for server in world.servers:
            self.assertEqual(server.get("/live")[0], 200)
        answers = [server.get("/ready") for server in world.servers]
        self.assertEqual({status for status, _ in answers}, {200})
        return "/".join(sorted({"ready" if body == "OK" else "away"
                                for _, body in answers}))

    def add_row(self, case, policy, records, back, ready, connects, lines):
        counts = collections.Counter(map(result, records))
        TABLE.append(Row(
            case.name, policy,
            " ".join(f"{name}:{number}" for name, number in counts.items()),
            f"{quantile_ms(records, 0.5):.2f}",
            f"{quantile_ms(records, 0.99):.1f}",
            f"{quantile_ms(records, 1):.1f}",
            "never" if back is None else f"{back:.0f}", ready,
            connects if case.way == "proxy" else "", lines))

    def check_answers(self, case, records, during, begin, end):
        for record in records:
            self.assertIn(result(record), ALLOWED[policy_of(record)])
        if case.outage:
            noticed = [record for record in during
                       if record.start_ns > begin + NOTICED_S * 1e9
                       and end_ns(record) < end]
            for policy, answer in (("error", "UNAVAILABLE"),
                                   ("deny", "OVER_LIMIT")):
                self.assertEqual(
                    {result(r) for r in of_policy(noticed, policy)}, {answer})
        before = [record for record in of_policy(records, "error")
                  if end_ns(record) < begin]
        self.assertGreater(share_ok(before), 0.3)
        # An answer takes the command timeout until the server notices the
        # fault, and no time after that. RedisHangTest proves this with a fake
        # clock. These bounds leave room for a busy machine.
        self.assertLess(quantile_ms(during, 0.5), 10)
        self.assertLess(quantile_ms(during, 0.9), 100)

    def check_metrics(self, world, records):
        """Checks that the server counts each answer without Redis."""
        for policy, answer in (("error", "UNAVAILABLE"),
                               ("deny", "OVER_LIMIT")):
            seen = sum(result(r) == answer for r in of_policy(records, policy))
            name = f'ratelimitd_degraded_total{{policy="{policy}"}}'
            self.assertEqual(metric(world.servers, name), seen)


def share_ok(records):
    return sum(result(record) == "OK" for record in records) / len(records)


def add_test(case):
    name = "".join(c if c.isalnum() else "_" for c in case.name).strip("_")
    setattr(FaultsTest, f"test_{name}", lambda self: self.check(case))


for each in CASES:
    add_test(each)


def tearDownModule():
    rows = [Row("case", "policy", "answers during the fault", "p50 ms",
                "p99 ms", "max ms", "back ms", "/ready", "connects",
                "log lines"), *TABLE]
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows)]
    print()
    for row in rows:
        print("  ".join(str(cell).ljust(width)
                        for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    unittest.main()
