"""Runs the recipe of docs/TIERS.md on one machine: a real Envoy, ratelimitd with
the recipe's configuration, and an upstream that answers like the recipe's.

scripts/demo installs and builds the programs that this needs, then runs it.
"""

import argparse
import http.server
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
STARTED_WITHIN_S = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# The settings that each value of `enforce` needs in addition to the recipe's: a
# wait as long as a window, and the cheaper model.
MORE = {
    "reject": {},
    "queue": {"queue": {"max_wait": "60s"}},
    "degrade": {"degrade_to": {"gpt-4": "gpt-3.5-turbo"}},
}

BEYOND = {
    "reject": "is refused",
    "queue": "is held until the next minute begins",
    "degrade": "gets a cheaper model",
}

HELP = """\
ready on http://localhost:{port}/v1/messages, enforce: {enforce}
free user-123 has 5 requests a minute, pro user-456 has 50; the next {beyond}:

for i in {{1..6}}; do
  curl -X POST http://localhost:{port}/v1/messages \\
    -H "Authorization: Bearer user-123" \\
    -d '{{"model": "gpt-4", "messages": [{{"role": "user", "content": "Hi"}}]}}' \\
    -s | jq '{{status, model, cost: .cost_cents, message}}'
done

Ctrl-C stops it."""


class Stopped(Exception):
    """A signal asks the program to end."""


class Provider(http.server.BaseHTTPRequestHandler):
    """The recipe's provider: its answer contains the cost of the request."""

    protocol_version = "HTTP/1.1"
    cents = {"gpt-3.5-turbo": 1}  # any other model: 15

    def do_POST(self):
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            model = json.loads(sent)["model"]
        except (ValueError, LookupError, TypeError):
            model = None
        answer = {"status": 200, "cost_cents": 15}
        if isinstance(model, str):
            answer = {**answer, "model": model,
                      "cost_cents": self.cents.get(model, 15)}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *unused):
        pass


def start_provider():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def write_recipe(path, enforce):
    recipe = yaml.safe_load((ROOT / "deploy/config/recipe.yaml").read_text())
    recipe["rate_limit"].update(MORE[enforce], enforce=enforce)
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def check_port(port):
    """Exits if the port is in use: two Envoys would silently share it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"port {port}: {error.strerror}; try --port N")


def item(config, kind, name):
    return next(entry for entry in config["static_resources"][kind]
                if entry["name"] == name)


def address_of(host, port):
    return {"address": {"socket_address": {"address": host,
                                           "port_value": port}}}


def write_envoy(path, port, clusters, enforce):
    name = "degrade.yaml" if enforce == "degrade" else "envoy.yaml"
    config = yaml.safe_load((ROOT / "deploy/envoy" / name).read_text())
    listener = item(config, "listeners", "http")
    listener.update(address_of("127.0.0.1", port))
    # "localhost" may be either address.
    if has_ipv6():
        listener["additional_addresses"] = [address_of("::1", port)]
    for name, cluster_port in clusters.items():
        groups = item(config, "clusters", name)["load_assignment"]["endpoints"]
        groups[0]["lb_endpoints"][0]["endpoint"] = address_of("127.0.0.1",
                                                              cluster_port)
    text = yaml.safe_dump(config)
    if enforce == "queue":
        # Longer than the longest wait. Otherwise Envoy gives up and lets the
        # request pass.
        text, changed = re.subn(r"\btimeout: 0\.1s", "timeout: 65s", text)
        assert changed == 1
    path.write_text(text)


class Programs:
    """The programs that the demo has started, and their logs."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, *command, **options):
        log = (self.folder / f"{name}.log").open("w")
        with log:
            process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL,
                stderr=log, start_new_session=True,
                **{"stdout": log, **options})
        self.running.append((name, process))
        return process

    def fail(self, name):
        sys.exit(f"{name} has ended:\n" +
                 (self.folder / f"{name}.log").read_text())

    def check(self):
        for name, process in self.running:
            if process.poll() is not None:
                self.fail(name)

    def stop(self):
        for _, process in reversed(self.running):
            process.terminate()
        for _, process in self.running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start_server(programs, path, recipe):
    server = programs.start(
        "ratelimitd", path, "--config", recipe, "--grpc-address", "127.0.0.1:0",
        "--http-address", "127.0.0.1:0", "--debug-address", "127.0.0.1:0",
        "--drain-delay", "0s",  # Envoy ends with it
        stdout=subprocess.PIPE, text=True)
    ready = re.match(r"ready grpc=127\.0\.0\.1:(\d+) ", server.stdout.readline())
    if not ready:
        server.wait()
        programs.fail("ratelimitd")
    return int(ready.group(1))


def start_envoy(programs, path, folder, port):
    programs.start("envoy", path, "-c", folder / "envoy.yaml", "--log-level",
                   "warn", "--base-id-path", folder / "base-id",
                   "--use-dynamic-base-id")
    end = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < end:
        programs.check()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("envoy does not listen")


def run(options, folder):
    check_port(options.port)
    programs = Programs(folder)
    try:
        write_recipe(folder / "config.yaml", options.enforce)
        clusters = {
            "upstream": start_provider(),
            "ratelimitd": start_server(programs, options.server,
                                       folder / "config.yaml")}
        if options.enforce == "degrade":
            clusters["cheaper"] = clusters["upstream"]
        write_envoy(folder / "envoy.yaml", options.port, clusters,
                    options.enforce)
        start_envoy(programs, options.envoy, folder, options.port)
        print(HELP.format(port=options.port, enforce=options.enforce,
                          beyond=BEYOND[options.enforce]), flush=True)
        while True:
            programs.check()
            time.sleep(0.5)
    finally:
        programs.stop()


def stop(*unused):
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def main():
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8000,
                        help="where Envoy listens on localhost (8000)")
    parser.add_argument("--enforce", choices=list(MORE), default="reject",
                        help="what happens over the limit (reject)")
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--envoy", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        with tempfile.TemporaryDirectory(prefix="ratelimitd-demo-") as folder:
            run(options, pathlib.Path(folder))
    except Stopped:
        pass


if __name__ == "__main__":
    main()
