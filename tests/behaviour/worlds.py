"""The servers that answer the cases: one for each environment of the table.

All of them, and Redis, see one clock that the runner sets.
"""

import contextlib
import datetime
import functools
import http.client
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

import grpc

import cases
import harness
import redis_harness
import wire

STORE = os.environ["STORE"]
METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
# A Tuesday, in the middle of every window.
BEGIN_S = int(datetime.datetime(2026, 12, 8, 10, 20, 30,
                                tzinfo=datetime.timezone.utc).timestamp())


YEAR_S = 365 * 86400
# A limit that shows the time of the server: its reset tells the second.
PROBE = """\
domain: probe of the clock
descriptors:
  - {key: probe, rate_limit: {unit: year, requests_per_unit: 1}}
"""
LOOK = wire.encode_request("probe of the clock", [cases.read_descriptor(
    "probe=a +0")])
NOWHERE = wire.encode_request("no such domain", [cases.read_descriptor("a=b")])


class Clock:
    """The wall clock of the programs that start with environment()."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_bytes(bytes(8))
        self.set(BEGIN_S)

    def set(self, seconds):
        self.now_s = seconds
        # In place: the programs have mapped the file.
        with self.path.open("r+b") as file:
            file.write(struct.pack("<q", seconds * 10**9))

    def environment(self):
        return {"LD_PRELOAD": os.environ["FAKE_TIME"],
                "RLS_FAKE_TIME_FILE": str(self.path),
                "ASAN_OPTIONS": "verify_asan_link_order=0"}


class FakeTimeRedis(redis_harness.Redis):
    """Redis on the clock. The scripts of the server take their time from it."""

    def __init__(self, folder, clock):
        self.clock = clock
        super().__init__(folder)

    def start(self, *arguments, wait=True):
        with changed_environment(self.clock.environment()):
            super().start(*arguments, wait=wait)


@contextlib.contextmanager
def changed_environment(changes):
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class World:
    """One server with the files of its cases."""

    def __init__(self, folder, clock, environment, redis):
        self.clock = clock
        self.reloads = 0
        self.folder = pathlib.Path(folder)
        (self.folder / "probe.yaml").write_text(PROBE)
        self.errors = self.validate(environment)
        # A file with an error would prevent the start, and hide all cases.
        for name in self.errors:
            shutil.rmtree(self.folder / name)
        store = {"REDIS_URL": redis.url, "REDIS_TIMEOUT": "20s"} if redis \
            else {}
        self.server = harness.Server(
            "--config", folder, environment={**clock.environment(), **store,
                                             **environment})
        self.channel = grpc.insecure_channel(
            self.server.grpc, [("grpc.max_receive_message_length", -1),
                               ("grpc.max_send_message_length", -1)])

    def set_clock(self, seconds):
        """Sets the clock and waits until the server has noticed.

        absl::Now() may continue from two earlier readings that are 0.5 to 5 s
        apart, and so miss a change. A jump makes it forget them. Back, so that
        no counter expires, and with calls that no counter sees: a counter that
        sees a clock go back expires sooner.
        """
        self.clock.set(seconds - 2 * YEAR_S - 100_000)
        for _ in range(2):
            self.call(NOWHERE)
        self.clock.set(seconds)
        harness.wait_for("the new time in an answer", self.clock_is_seen)

    def clock_is_seen(self):
        try:
            reset = wire.Answer(self.call(LOOK)).statuses[0].reset
        except grpc.RpcError as failure:
            # The server may start before its connection to Redis stands.
            if failure.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return reset == YEAR_S - self.clock.now_s % YEAR_S

    def validate(self, environment):
        """{case: errors} of the files that ratelimitctl refuses."""
        done = subprocess.run(
            [harness.CTL, "validate-config", self.folder], text=True,
            capture_output=True, timeout=harness.PATIENCE_S,
            env={**os.environ, **environment})
        errors = {}
        for line in done.stderr.splitlines():
            match = re.match(rf"{re.escape(str(self.folder))}/([^:/]+)[:/]",
                             line)
            if match:
                errors.setdefault(match[1], []).append(line)
        return errors

    def reload(self, case, rules):
        """Replaces the rules of a case and waits until they hold."""
        self.reloads += 1
        marker = f"marker{self.reloads}"
        path = self.folder / case.method / case.filename
        path.write_text(case.file_of(
            f"{rules}- {{key: {marker}, rate_limit: {{unlimited: true}}}}\n"))
        message = wire.encode_request(case.domain, [cases.read_descriptor(
            f"{marker}=a +0")])
        harness.wait_for("the new rules", lambda: wire.Answer(
            self.call(message)).statuses[0].remaining == cases.UNLIMITED)

    def reload_bad(self, case, text):
        """Replaces the file of a case and waits until it is refused."""
        before = self.failures()
        (self.folder / case.method / case.filename).write_text(text)
        harness.wait_for("a failed load", lambda: self.failures() > before)

    def failures(self):
        page = self.http("GET", "/metrics")[2].decode()
        found = re.search(
            r'^ratelimitd_config_loads_total\{result="failure"\} (\d+)$',
            page, re.M)
        return int(found[1]) if found else 0

    def call(self, message, method=METHOD, compression="NoCompression"):
        """The bytes of the answer. Raises grpc.RpcError."""
        return self.channel.unary_unary(method)(
            message, timeout=harness.PATIENCE_S,
            compression=getattr(grpc.Compression, compression))

    def http(self, method, path, body=None):
        """(status, content type, body)"""
        connection = http.client.HTTPConnection(self.server.http,
                                                timeout=harness.PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return (response.status, response.headers.get("Content-Type"),
                    response.read())

    def stop(self):
        self.channel.close()
        status = self.server.stop()
        if status != 0:
            raise AssertionError(f"exit status {status}\n{self.server.log()}")


class Worlds:
    """Starts a world when its first case runs."""

    def __init__(self, table):
        self.table = table
        self.stack = contextlib.ExitStack()
        self.folder = pathlib.Path(
            self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.clock = Clock(self.folder / "clock")
        self.redis = None
        if STORE == "redis":
            self.redis = FakeTimeRedis(self.folder / "redis", self.clock)
            self.stack.callback(self.redis.stop)

    def of(self, case):
        return self.start(tuple(sorted(case.env.items())))

    @functools.cache
    def start(self, environment):
        self.clock.set(BEGIN_S)
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        for case in self.table:
            if (tuple(sorted(case.env.items())) == environment and case.text
                    and not case.refused and not case.ends):
                case.write(folder)
        world = World(folder, self.clock, dict(environment), self.redis)
        self.stack.callback(world.stop)
        return world

    def close(self):
        self.stack.close()
