"""The client of configuration servers with go-control-plane and its snapshot
cache, used as Envoy Gateway uses it: one node, the version of a snapshot counts
from 1, and a snapshot without resources has no version."""

import json
import os
import queue
import subprocess
import threading
import unittest

import harness
from certificates import Certificates

SERVER = harness.TOOLS / "bin/xds_server"
PROBE = os.environ["XDS_PROBE"]
RESOURCES = 10_000


def resource(name, limit, unit="MINUTE"):
    return {"name": name, "domain": name, "descriptors": [
        {"key": "route", "value": "route", "descriptors": [
            {"key": "user", "rateLimit": {
                "unit": unit, "requestsPerUnit": limit}}]}]}


class Program:
    """A program with lines on its standard input and output."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self):
        return self.lines.get(timeout=harness.PATIENCE_S)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


class Server(Program):
    def __init__(self, port=0, files=()):
        super().__init__(SERVER, f"127.0.0.1:{port}", *files)
        self.port = int(self.line())

    def set(self, version, *resources):
        print("set", version, json.dumps(resources), file=self.process.stdin,
              flush=True)

    def empty(self):
        print("empty", file=self.process.stdin, flush=True)

    def request(self):
        """(version, nonce, refusal) of the next request."""
        _, version, nonce, refusal = self.line().split("\t")
        return version, nonce, refusal


class Probe(Program):
    def snapshot(self):
        """(version, {domain: limit}, errors) of the next snapshot."""
        version, domains, errors = self.line().split("\t")
        pairs = (pair.rsplit("=", 1) for pair in domains.split(",") if pair)
        return version, {name: int(limit) for name, limit in pairs}, errors


class RulesTest(harness.ProcessTest):
    """The server with the environment that Envoy Gateway sets."""

    def decide(self, ratelimitd):
        return ratelimitd.ask(("route", "route"), ("user", "u"), domain="a")[0]

    def run_with(self, config_type):
        server = Server()
        self.addCleanup(server.stop)
        ratelimitd = self.start_server(environment={
            "CONFIG_TYPE": config_type,
            "CONFIG_GRPC_XDS_SERVER_URL": f"127.0.0.1:{server.port}",
            "CONFIG_GRPC_XDS_NODE_ID": "envoy-ratelimit",
            "FORCE_START_WITHOUT_INITIAL_CONFIG": "true"})
        # No response yet: calls fail, and the gateway decides.
        self.assertEqual(self.decide(ratelimitd), 503)
        server.set(1, resource("a", 2, "DAY"))
        harness.wait_for("the rules", lambda: self.decide(ratelimitd) == 200)
        self.assertEqual(self.decide(ratelimitd), 200)
        self.assertEqual(self.decide(ratelimitd), 429)
        # A bad resource keeps its rules, and its counter.
        server.set(2, resource("a", 9, "UNKNOWN"), resource("b", 1, "DAY"))
        harness.wait_for("the refusal", lambda: 'resource "a"' in
                         ratelimitd.log())
        self.assertEqual(self.decide(ratelimitd), 429)
        server.set(3, resource("a", 3, "DAY"))
        harness.wait_for("the raised limit",
                         lambda: self.decide(ratelimitd) == 200)
        self.assertEqual(self.decide(ratelimitd), 429)
        # Without the server the rules stay.
        server.stop()
        self.assertEqual(self.decide(ratelimitd), 429)
        server = Server(server.port)
        self.addCleanup(server.stop)
        server.empty()
        harness.wait_for("the end of the rules",
                         lambda: self.decide(ratelimitd) == 200)

    def test_state_of_the_world(self):
        self.run_with("GRPC_XDS_SOTW")

    def test_delta(self):
        self.run_with("GRPC_XDS_DELTA")


class XdsTest(harness.ProcessTest):
    def serve(self, port=0, files=()):
        server = Server(port, files)
        self.addCleanup(server.stop)
        return server

    def probe(self, server, protocol="sotw", files=()):
        probe = Probe(PROBE, f"127.0.0.1:{server.port}", protocol, *files)
        self.addCleanup(probe.stop)
        return probe

    def test_updates_and_the_deletion_of_all(self):
        server = self.serve()
        probe = self.probe(server)
        # No snapshot yet: the server is silent.
        self.assertEqual(server.request(), ("", "", ""))
        server.set(1, resource("a", 1), resource("b", 2))
        self.assertEqual(probe.snapshot(), ("1", {"a": 1, "b": 2}, ""))
        self.assertEqual(server.request()[0::2], ("1", ""))
        server.set(2, resource("a", 3))
        self.assertEqual(probe.snapshot(), ("2", {"a": 3}, ""))
        self.assertEqual(server.request()[0::2], ("2", ""))
        server.empty()
        self.assertEqual(probe.snapshot(), ("", {}, ""))
        self.assertEqual(server.request()[0::2], ("", ""))
        server.set(3, resource("a", 4))
        self.assertEqual(probe.snapshot(), ("3", {"a": 4}, ""))

    def test_restarts_with_version_1(self):
        server = self.serve()
        server.set(1, resource("a", 1))
        probe = self.probe(server)
        self.assertEqual(probe.snapshot(), ("1", {"a": 1}, ""))
        server.request()
        self.assertEqual(server.request()[0], "1")
        server.stop()
        server = self.serve(server.port)
        server.set(1, resource("a", 2))
        self.assertEqual(probe.snapshot(), ("1", {"a": 2}, ""))
        self.assertEqual(server.request(), ("1", "", ""))
        self.assertEqual(server.request()[0], "1")
        server.stop()
        # All policies are deleted while the server is away.
        server = self.serve(server.port)
        server.empty()
        self.assertEqual(probe.snapshot(), ("", {}, ""))

    def test_a_bad_resource_among_good_ones(self):
        server = self.serve()
        server.set(1, resource("a", 1), resource("b", 1))
        probe = self.probe(server)
        probe.snapshot()
        server.set(2, resource("a", 2, "UNKNOWN"), resource("b", 2))
        version, domains, errors = probe.snapshot()
        self.assertEqual((version, domains), ("2", {"a": 1, "b": 2}))
        self.assertIn('resource "a": descriptor "route_route.user": unit: ',
                      errors)
        server.request()
        self.assertEqual(server.request()[0::2], ("1", ""))
        # go-control-plane answers each refusal with the same response. These
        # do not delay the next good version.
        for _ in range(3):
            version, _, refusal = server.request()
            self.assertEqual((version, refusal), ("1", errors))
        server.set(3, resource("a", 3))
        self.assertEqual(probe.snapshot(), ("3", {"a": 3}, ""))

    def test_ten_thousand_resources(self):
        server = self.serve()
        names = [f"default/gateway-{n}/http-of-a-long-name-{'x' * 350}"
                 for n in range(RESOURCES)]
        server.set(1, *(resource(name, n) for n, name in enumerate(names)))
        probe = self.probe(server)
        _, domains, errors = probe.snapshot()
        self.assertEqual(errors, "")
        self.assertEqual(domains, {name: n for n, name in enumerate(names)})

    def test_certificates_of_both_sides(self):
        own = Certificates(self.folder, "own")
        server_files = (own.ca, *own.issue("server", "IP:127.0.0.1"))
        client_files = (own.ca, *own.issue("client", "DNS:client.test"))
        server = self.serve(files=server_files)
        server.set(1, resource("a", 1))
        probe = self.probe(server, files=client_files)
        self.assertEqual(probe.snapshot(), ("1", {"a": 1}, ""))
        server.stop()
        # All files are replaced by those of a new authority.
        new = Certificates(self.folder, "new")
        for old, pair in ((server_files, new.issue("server", "IP:127.0.0.1")),
                          (client_files, new.issue("client", "DNS:x.test"))):
            for target, source in zip(old, (new.ca, *pair)):
                target.write_bytes(source.read_bytes())
        server = self.serve(server.port, server_files)
        server.set(2, resource("a", 2))
        self.assertEqual(probe.snapshot(), ("2", {"a": 2}, ""))

    def test_delta(self):
        server = self.serve()
        server.set(1, resource("a", 1), resource("b", 2))
        probe = self.probe(server, "delta")
        _, domains, errors = probe.snapshot()
        self.assertEqual((domains, errors), ({"a": 1, "b": 2}, ""))
        server.set(2, resource("b", 3), resource("c", 4, "UNKNOWN"))
        _, domains, errors = probe.snapshot()
        self.assertEqual(domains, {"b": 3})
        self.assertIn('resource "c": ', errors)
        server.stop()
        server = self.serve(server.port)
        server.set(1, resource("c", 5))
        _, domains, errors = probe.snapshot()
        self.assertEqual((domains, errors), ({"c": 5}, ""))
        self.assertEqual(server.request()[0], "2")


if __name__ == "__main__":
    unittest.main()
