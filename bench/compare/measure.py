"""Starts servers, each alone on its cores, and puts load on them."""

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import time

from cases import PEER, config_options

START_S = 60
STOP_S = 10
LOAD_S = 60  # in addition to the requested time


class Failed(Exception):
    """A server failed in a case."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_open(process, port):
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Failed("the server does not accept connections")


@contextlib.contextmanager
def started(words, cores, port, environment=None):
    """Runs a process on `cores` until the block ends. It serves `port`."""
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, cores)), *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # No gateway must learn of the end.
        env={"DRAIN_DELAY": "0s", **os.environ, **(environment or {})})
    try:
        wait_until_open(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def started_redis(cores):
    """Runs an empty Redis without persistence. Yields host:port and the
    process."""
    port = free_port()
    words = ["redis-server", "--bind", "127.0.0.1", "--port", str(port),
             "--save", "", "--appendonly", "no"]
    with started(words, cores, port) as process:
        yield f"127.0.0.1:{port}", process


def filled_in(server, values):
    """The words of the server's command, with the placeholders replaced."""
    def value(match):
        return str(free_port() if match[1] == "free" else values[match[1]])
    names = "|".join(["free", *values])
    return shlex.split(re.sub(rf"\{{({names})\}}", value, server.command))


class Cores:
    """The cores of the servers, of the load and of Redis."""

    def __init__(self, server, load, redis):
        self.server, self.load, self.redis = server, load, redis

    def fit(self, case):
        return case.cores <= len(self.server)

    @property
    def redis_is_alone(self):
        return self.redis not in self.load and self.redis not in self.server


def divided(cores, server=None, load=None):
    """Divides the cores of a machine. `server` and `load` override the
    defaults."""
    if server is None:
        # Two cores for the servers, if that leaves one for the load.
        server = cores[:2] if len(cores) > 2 else cores[:1]
    rest = [core for core in cores if core not in server] or cores[-1:]
    if load is None:
        load = rest[:2]
    rest = [core for core in cores if core not in server + load]
    # A server with Redis uses only its first core.
    return Cores(server, load, (rest or server[1:] or load)[-1])


class Bench:
    def __init__(self, build, cores, seconds, warm_up, folder):
        self.build, self.cores, self.folder = build, cores, folder
        self.seconds, self.warm_up = seconds, warm_up

    def measure(self, server, case, peak):
        """Returns the figures of one run. `peak` is the rate of the server in
        the base case. Raises Failed."""
        cores = self.cores.server[:case.cores]
        values = {"port": free_port(), "cores": case.cores,
                  "config": config_options(case, self.folder),
                  "rules": self.folder}
        with contextlib.ExitStack() as stack:
            redis = None
            if server.has_redis:
                values["redis"], redis = stack.enter_context(
                    started_redis([self.cores.redis]))
            process = stack.enter_context(started(
                filled_in(server, values), cores, values["port"],
                {"GRPC_THREADS": str(case.cores)}))
            watched = [process.pid] + ([redis.pid] if redis else [])
            result = self.load(server, case, peak, values["port"], watched)
        result["cpu_us"], *rest = result.pop("watched_cpu_us")
        if rest:
            result["redis_cpu_us"] = rest[0]
        return result

    def load(self, server, case, peak, port, watched):
        rate = case.rate or case.share_of_peak * peak
        words = ["--port", port, "--connections", case.connections,
                 "--streams", case.streams, "--keys", case.keys,
                 "--zipf", case.zipf, "--rate", rate,
                 "--threads", len(self.cores.load), *case.load,
                 "--warm-up", self.warm_up, "--seconds", self.seconds]
        for pid in watched:
            words += ["--watch", pid]
        if server.kind != PEER:
            words.append("--want-limits")
        try:
            done = subprocess.run(
                ["taskset", "-c", ",".join(map(str, self.cores.load)),
                 f"{self.build}/bench/compare_load", *map(str, words)],
                capture_output=True, text=True, check=False,
                timeout=self.warm_up + self.seconds + LOAD_S)
        except subprocess.TimeoutExpired as error:
            raise Failed("the load does not end") from error
        if done.returncode != 0:
            raise Failed(done.stderr.strip())
        result = json.loads(done.stdout)
        check_answers(result, case)
        return result


def check_answers(result, case):
    """Raises Failed if the answers are wrong."""
    ok, over_limit = result["ok"], result["over_limit"]
    if case.refused:
        right = ok <= case.keys and over_limit > 0
    else:
        right = ok > 0 and over_limit == 0
    if not right or ok + over_limit != result["answers"]:
        raise Failed("wrong answers: " + ", ".join(
            f"{result[name]:,} {name}" for name in (
                "answers", "ok", "over_limit", "other_code", "failed")))
