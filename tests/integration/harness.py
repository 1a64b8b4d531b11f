"""Starts the real programs for the tests and stops them.

Each program chooses a free port itself where it can.
"""

import collections
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import yaml

# Most tests end a server without a gateway that must learn of it.
os.environ.setdefault("DRAIN_DELAY", "0s")

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ["RATELIMITD"]
CTL = os.environ["RATELIMITCTL"]
TOOLS = pathlib.Path(os.environ["RLS_TOOLS"])
ENVOY = TOOLS / "venv/bin/envoy"
GRPCURL = TOOLS / "bin/grpcurl"
RECIPE = ROOT / "deploy/config/recipe.yaml"

# Timeout of events that take milliseconds on a healthy machine. Only a failing
# test waits that long.
PATIENCE_S = 60
PORT_TRIES = 10
READY = re.compile(r"^ready grpc=(\S+) http=(\S+) debug=(\S+)"
                   r"(?: prometheus=(\S+))?$")


def wait_for(what, condition):
    """Polls condition(); returns its first true value. `what` names the
    event."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


def let_time_pass(seconds, reason):
    """Waits where the test is about time itself, so that no condition can end
    the wait. `reason` names the time that passes. Elsewhere use wait_for()."""
    assert reason
    time.sleep(max(0, seconds))


def pause(process):
    """Stops all threads of a process, until it gets SIGCONT. Returns when they
    have stopped: a thread that runs takes the signal a little later."""
    process.send_signal(signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{process.pid}/task")

    def stopped():
        with contextlib.suppress(FileNotFoundError):  # a thread has ended
            states = [(task / "stat").read_text().rsplit(") ", 1)[1][0]
                      for task in tasks.iterdir()]
            return set(states) == {"T"}
    wait_for("the stop of all threads", stopped)


def quiet_minute(seconds_needed=20):
    """Waits until the minute of the clock has enough seconds left for a test
    that counts the requests of one window."""
    left = 60 - time.time() % 60
    if left < seconds_needed:
        let_time_pass(left + 0.05, "the rest of the minute")


def free_port(host="127.0.0.1"):
    """A free port, for a program that cannot choose one and report it. Another
    program can take the port first, so callers try up to PORT_TRIES times."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


FREE_PORTS = ("--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0",
              "--debug-address", "127.0.0.1:0")


def overall_code(text):
    """The overall code of a RateLimitResponse that grpcurl has printed. Without
    the names of JSON in reflection, as on the general transport, grpcurl prints
    the names of the proto file."""
    answer = json.loads(text)
    return answer.get("overallCode") or answer["overall_code"]


Answer = collections.namedtuple("Answer", "status headers body")


def send_request(port, *headers, method="POST", path="/v1/messages", body=None,
                 chunked=False):
    """The answer to one request. `headers` are pairs, sent unchanged."""
    connection = http.client.HTTPConnection("127.0.0.1", port,
                                            timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif body is not None:
            connection.putheader("Content-Length", len(body))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


class Server:
    """ratelimitd on free ports. `descriptors` bounds its open files; `program`
    is the command that starts it."""

    def __init__(self, *arguments, environment=None, addresses=FREE_PORTS,
                 descriptors=None, program=(SERVER,)):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (descriptors, descriptors))
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*map(str, program), *addresses, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=self.stderr, text=True,
            env={**os.environ, **(environment or {})},
            preexec_fn=limit if descriptors else None)
        line = self.process.stdout.readline().strip()
        match = READY.match(line)
        if not match:
            self.process.kill()
            raise AssertionError(f"not ready: {line!r}\n{self.log()}")
        self.grpc, self.http, self.debug, self.prometheus = match.groups()

    def log(self):
        self.stderr.seek(0)
        return self.stderr.read()

    def get(self, path, address=None):
        connection = http.client.HTTPConnection(address or self.http,
                                                timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def ask(self, *entries, domain="default", **more):
        """(HTTP status, answer) of one descriptor over /json. `more` are other
        fields of the descriptor."""
        body = json.dumps({"domain": domain, "descriptors": [{"entries": [
            {"key": key, "value": value} for key, value in entries], **more}]})
        connection = http.client.HTTPConnection(self.http, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("POST", "/json", body)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def stop(self):
        """Ends the server as Kubernetes does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return status


def read_chunks(stream):
    """The body of a request with chunked transfer encoding."""
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


class Upstream:
    """An HTTP server that answers like the model provider of the recipe and
    keeps all requests."""

    def __init__(self):
        self.seen = seen = []  # (words of the request line, headers, body)
        self.status = 200
        self.body = b'{"status": 200, "cost_cents": 15}'
        self.content_type = "application/json"
        self.halfway = lambda: None  # called after half of the body is sent
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                if "chunked" in self.headers.get("transfer-encoding", ""):
                    sent = read_chunks(self.rfile)
                else:
                    sent = self.rfile.read(
                        int(self.headers.get("content-length", 0)))
                seen.append((self.requestline.split(), self.headers, sent))
                body = upstream.body
                self.send_response(upstream.status)
                self.send_header("content-type", upstream.content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    half = len(body) // 2
                    self.wfile.write(body[:half])
                    upstream.halfway()
                    self.wfile.write(body[half:])

            do_GET = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = do_POST

            def log_message(self, *unused):
                pass

        class HttpServer(http.server.ThreadingHTTPServer):
            def handle_error(self, *about):
                # A gateway may close its connections at any time.
                if not isinstance(sys.exc_info()[1], ConnectionError):
                    super().handle_error(*about)

        self.server = HttpServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def set_port(config, kind, name, port):
    """Changes the port of a listener or cluster, which must have one port."""
    text = json.dumps(next(item for item in config["static_resources"][kind]
                           if item["name"] == name))
    text, changed = re.subn(r'"port_value": \d+', f'"port_value": {port}', text)
    assert changed == 1, text
    items = config["static_resources"][kind]
    items[:] = [json.loads(text) if item["name"] == name else item
                for item in items]


def allow_slow_answers(config):
    """Raises the timeouts of the gateway. With a sanitizer or on a busy machine
    the server may miss them, and the gateway would admit the request."""
    for listener in config["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for http in chain["filters"]:
                for item in http["typed_config"]["http_filters"]:
                    if "timeout" in item.get("typed_config", {}):
                        item["typed_config"]["timeout"] = f"{PATIENCE_S}s"


class Envoy:
    """The real Envoy with a file of deploy/envoy, on free ports."""

    def __init__(self, folder, grpc, upstream_port, change=allow_slow_answers,
                 name="envoy.yaml"):
        """`change(config)` may change the configuration."""
        config = yaml.safe_load((ROOT / "deploy/envoy" / name).read_text())
        set_port(config, "listeners", "http", 0)
        set_port(config, "clusters", "ratelimitd", grpc.rsplit(":", 1)[1])
        set_port(config, "clusters", "upstream", upstream_port)
        change(config)
        config["admin"] = {"address": {"socket_address": {
            "address": "127.0.0.1", "port_value": 0}}}
        path = pathlib.Path(folder)
        (path / "envoy.yaml").write_text(yaml.safe_dump(config))
        self.output = (path / "envoy.log").open("w")
        self.process = subprocess.Popen(
            [ENVOY, "-c", path / "envoy.yaml", "--admin-address-path",
             path / "admin", "--concurrency", "1", "--base-id-path",
             path / "base-id", "--use-dynamic-base-id"],
            stdout=self.output, stderr=subprocess.STDOUT)
        try:
            self.admin = wait_for("Envoy's admin address", lambda:
                                  self.read_admin(path / "admin"))
            self.port = wait_for("Envoy's listener", lambda:
                                 self.listener_port(self.admin))
        except AssertionError:
            self.stop()
            raise AssertionError((path / "envoy.log").read_text()) from None
        self.address = f"127.0.0.1:{self.port}"

    def read_admin(self, path):
        if self.process.poll() is not None:
            raise AssertionError("Envoy has ended")
        return path.exists() and path.read_text()

    @staticmethod
    def listener_port(admin):
        connection = http.client.HTTPConnection(admin, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", "/listeners?format=json")
            listeners = json.loads(connection.getresponse().read())
        for listener in listeners.get("listener_statuses", []):
            return listener["local_address"]["socket_address"]["port_value"]
        return None

    def asking(self, cluster="ratelimitd"):
        """The number of requests that wait for an answer of the cluster."""
        connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", "/stats?format=json&filter="
                               f"^cluster.{cluster}.upstream_rq_active$")
            stats = json.loads(connection.getresponse().read())["stats"]
        return next((item["value"] for item in stats if "value" in item), 0)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.output.close()


class ProcessTest(unittest.TestCase):
    """A test that stops its programs at its end."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start_server(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.addCleanup(self.check_stop, server)
        return server

    def check_stop(self, server):
        self.assertEqual(server.stop(), 0, server.log())
        server.stderr.close()

    def start_envoy(self, server, **options):
        self.upstream = Upstream()
        self.addCleanup(self.upstream.stop)
        envoy = Envoy(self.folder, server.grpc, self.upstream.port, **options)
        self.addCleanup(envoy.stop)
        return envoy

    def run_program(self, *command, expect=0):
        done = subprocess.run([str(part) for part in command],
                              capture_output=True, text=True,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done
