"""A real Redis, a proxy between Redis and a server, and a load of calls.

The program of tests/load sends the load. This file reads its records.
"""

import asyncio
import collections
import contextlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading

from harness import PATIENCE_S, PORT_TRIES, free_port, pause, wait_for

LOAD = os.environ["LOAD"]


class RedisError(Exception):
    """An error reply of Redis."""


def encode(words):
    """Encodes a command as RESP."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def read_reply(stream):
    """Reads one RESP2 reply. Returns errors as values, also inside arrays."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("Redis has ended the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        return RedisError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [read_reply(stream) for _ in range(int(rest))]
    raise ConnectionError(f"not RESP: {line!r}")


class Redis:
    """redis-server in a separate folder, without persistence."""

    def __init__(self, folder, *arguments, host="127.0.0.1", port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.arguments = arguments
        self.host = host
        self.port = port
        self.password = None
        self.process = None
        tries = PORT_TRIES if port is None else 1
        for _ in range(tries):
            self.port = port or free_port(host)
            with contextlib.suppress(ChildProcessError):
                self.start()
                return
        raise AssertionError(f"redis-server does not start:\n{self.log()}")

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}"

    def start(self, *arguments, wait=True):
        """Starts Redis, empty and always on the same port. Waits for an answer
        to PING unless `wait` is false."""
        self.process = subprocess.Popen(
            ["redis-server", "--save", "", "--appendonly", "no", "--dir",
             self.folder, "--logfile", "log", "--bind", self.host, "--port",
             str(self.port), *self.arguments, *arguments])
        if wait:
            wait_for("an answer of Redis", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise ChildProcessError("redis-server has ended")
        with contextlib.suppress(OSError):
            try:
                self.command("PING")
            except RedisError:
                pass  # an error is an answer, too
            return True

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def pause(self):
        """Redis still accepts connections but does not answer."""
        pause(self.process)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.kill()

    @contextlib.contextmanager
    def connect(self):
        """A connection: a function that sends a command and returns the
        reply."""
        with socket.create_connection((self.host, self.port),
                                      PATIENCE_S) as connection, \
                connection.makefile("rb") as stream:
            def command(*words):
                connection.sendall(encode(words))
                reply = read_reply(stream)
                if isinstance(reply, RedisError):
                    raise reply
                return reply
            if self.password:
                command("AUTH", self.password)
            yield command

    def command(self, *words):
        """The reply to one command on a new connection."""
        with self.connect() as command:
            return command(*words)

    def info(self, section):
        text = self.command("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.split("\r\n")
                    if ":" in line)

    def keys(self):
        """{key: (value of GET, remaining milliseconds to live)} of all keys."""
        found, cursor = {}, None
        with self.connect() as command:
            while cursor != b"0":
                cursor, names = command("SCAN", cursor or 0, "COUNT", 1000)
                for name in names:
                    found[name] = (command("GET", name), command("PTTL", name))
        return found

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""


class Proxy:
    """A TCP proxy that can misbehave.

    `mode` is the method of this class that handles each chunk of bytes. Any
    thread may change it at any time.
    """

    def __init__(self, target):
        self.target = target       # (host, port) of new connections
        self.accepted = 0
        self.script_calls = 0      # chunks with EVALSHA that arrived
        self.delay_s = 0.0         # of each chunk of the replies
        self.canned = b""          # see answer()
        self.current_mode = self.forward
        self.mode_changed = asyncio.Event()
        self.pairs = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       daemon=True)
        self.thread.start()
        self.server = self.run(asyncio.start_server(
            self.serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    @property
    def mode(self):
        return self.current_mode

    @mode.setter
    def mode(self, mode):
        async def change():
            self.current_mode = mode
            self.mode_changed.set()
            self.mode_changed = asyncio.Event()
        self.run(change())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self.loop).result(PATIENCE_S)

    # Modes. Each handles the bytes of one chunk.

    async def forward(self, pair, data, reply):
        pair.write(data, reply)

    async def slow(self, pair, data, reply):
        """Delays replies. Keeps their order and their rate."""
        pair.write(data, reply, self.delay_s if reply else 0)

    async def drop(self, pair, data, reply):
        """Holds all bytes back until the mode changes, like TCP that
        retransmits."""
        while self.mode == self.drop:
            await self.mode_changed.wait()
        pair.write(data, reply)

    async def half_open(self, pair, data, reply):
        """Existing connections get no bytes any more. New connections work."""
        if pair.born_in == self.half_open:
            pair.write(data, reply)
        else:
            pair.dead = True

    async def cut(self, pair, data, reply):
        """Resets the connection in the middle of a reply."""
        if reply:
            pair.write(data[:len(data) // 2], reply)
            pair.reset()
        else:
            pair.write(data, reply)

    async def lose(self, pair, data, reply):
        """Drops some bytes of a reply."""
        pair.write(data[:1] + data[3:] if reply else data, reply)

    async def answer(self, pair, data, reply):
        """Answers every command with `canned` instead of Redis."""
        if not reply:
            pair.write(self.canned, True)

    class Pair:
        """The two connections of a client: client to proxy, proxy to Redis."""

        def __init__(self, loop, client, server, born_in):
            self.loop = loop
            self.client = client
            self.server = server
            self.born_in = born_in
            self.dead = False
            self.late = collections.deque()  # replies that are held back

        def write(self, data, reply, delay_s=0):
            if reply and (delay_s or self.late):
                self.late.append(data)
                self.loop.call_later(delay_s, self.write_late)
            elif not self.dead:
                (self.client if reply else self.server).write(data)

        def write_late(self):
            """Writes the first delayed reply, so that replies keep their
            order."""
            data = self.late.popleft()
            if not self.dead:
                self.client.write(data)

        def reset(self):
            for half in (self.client, self.server):
                half.transport.abort()

    async def serve(self, reader, writer):
        self.accepted += 1
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = self.Pair(self.loop, writer, up_writer, self.mode)
        self.pairs.add(pair)
        # Only stop() cancels this.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self.pump(pair, reader, False),
                                 self.pump(pair, up_reader, True))
        self.pairs.discard(pair)

    async def pump(self, pair, reader, reply):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                self.script_calls += not reply and b"EVALSHA" in data
                await self.mode(pair, data, reply)
        if not pair.dead:
            pair.reset()

    def reset_all(self):
        async def reset():
            for pair in list(self.pairs):
                pair.reset()
        self.run(reset())

    def stop(self):
        async def end():
            self.server.close()
            for pair in list(self.pairs):
                pair.reset()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)
        self.loop.close()


# The result of one call, as in tests/load.
Record = collections.namedtuple(
    "Record", "start_ns latency_us line refused code overall server")
RECORD = struct.Struct("<qIIIBBBx")
CODES = {0: "OK", 1: "CANCELLED", 2: "UNKNOWN", 4: "DEADLINE_EXCEEDED",
         13: "INTERNAL", 14: "UNAVAILABLE"}
OVER_LIMIT = 2


def result(record):
    """OK, OVER_LIMIT, or the gRPC status of a failed call."""
    if record.code == 0:
        return "OVER_LIMIT" if record.overall == OVER_LIMIT else "OK"
    return CODES.get(record.code, str(record.code))


def end_ns(record):
    return record.start_ns + record.latency_us * 1000


class Load:
    """A load of calls, sent by another process.

    plan: the requests, each a domain and its descriptors, e.g.
    ("shop", "user=u1", "ip=::1,path=/x"). `options` are options of the program,
    e.g. rate=1000, calls=200_000, streams=64.
    """

    def __init__(self, folder, servers, plan, **options):
        folder = pathlib.Path(folder)
        number = len(list(folder.glob("plan-*")))
        plan_file = folder / f"plan-{number}"
        plan_file.write_text("".join("\t".join(request) + "\n"
                                     for request in plan))
        self.records_file = folder / f"records-{number}"
        words = [LOAD, "--plan", plan_file, "--records", self.records_file]
        for server in servers:
            words += ["--server", getattr(server, "grpc", server)]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE,
                                        text=True)
        self.summary = None

    def stop(self):
        """Ends the load now; returns the records in the order of the
        answers."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        """Waits for the end of the load; returns the records."""
        output, _ = self.process.communicate(timeout=10 * PATIENCE_S)
        if self.process.returncode != 0:
            raise AssertionError("the load has failed")
        self.summary = json.loads(output)
        return list(map(Record._make, RECORD.iter_unpack(
            self.records_file.read_bytes())))


def quantile_ms(records, share):
    """The quantile of the latencies; 0 without records."""
    latencies = sorted(record.latency_us for record in records)
    if not latencies:
        return 0.0
    return latencies[min(int(share * len(latencies)),
                         len(latencies) - 1)] / 1000


def resident_kib(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def log_lines(server):
    """The number of lines that the server has logged so far."""
    # Not read(), because it would move the file offset, which the server
    # shares.
    descriptor = server.stderr.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).count(b"\n")


def metric(servers, name):
    """The sum of one metric over the servers, e.g. "name{label=\"value\"}"."""
    lines = "".join(server.get("/metrics")[1] for server in servers)
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines.splitlines()
               if line.startswith(name + " "))


def wait_until_ready(server):
    """Waits until the server can use its Redis, too."""
    wait_for("readiness", lambda: server.get("/ready") == (200, "OK"))


class Names:
    """Resolves one host name, for programs with `environment`."""

    HOST = "redis.test"

    def __init__(self, folder, address):
        self.file = pathlib.Path(folder) / "hosts"
        self.point_to(address)
        self.environment = {
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_HOSTS": str(self.file),
            # Allows another preloaded library before that of the sanitizer.
            "ASAN_OPTIONS": "verify_asan_link_order=0",
        }

    def point_to(self, address):
        new = self.file.with_suffix(".new")
        new.write_text(f"{address} {self.HOST}\n")
        new.rename(self.file)
