"""A rolling restart of two replicas behind a real Envoy under load, as
Kubernetes does it: the endpoints of Envoy are the replicas that are ready, and
Envoy learns of a change some time later. No request fails, and none passes
without a decision."""

import contextlib
import http.client
import json
import os
import signal
import threading
import unittest

import harness

REQUESTS = 10_000
CLIENTS = 8
# Requests between two steps, so that each state of the endpoints has some.
SOME = 500
FEW = 100

RULES = """
domain: default
descriptors:
  - key: remote_address
    rate_limit: {unit: hour, requests_per_unit: 100000000}
"""


class Load:
    """Clients that send requests to Envoy, one after the other, until the end.
    Counts the results."""

    def __init__(self, port):
        self.port = port
        self.lock = threading.Lock()
        self.sent = self.failed = self.unasked = 0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=harness.PATIENCE_S)
        with contextlib.closing(connection):
            while not self.ends.is_set():
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                with self.lock:
                    self.sent += 1
                    self.failed += response.status != 200
                    # Envoy copies the answer of the server into this header.
                    self.unasked += "x-ratelimit-limit" not in response.headers

    def wait_for(self, count):
        """Waits for `count` more requests."""
        goal = self.sent + count
        harness.wait_for("requests", lambda: self.sent >= goal)

    def end(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()


class RollingRestartTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.rules = self.write("rules.yaml", RULES)
        self.write("eds/unused", "")  # makes the folder
        self.replicas = []

    def start_replica(self, delay):
        server = self.start_server("--config", self.rules,
                                   environment={"DRAIN_DELAY": delay})
        harness.wait_for("readiness",
                         lambda: server.get("/ready") == (200, "OK"))
        self.replicas.append(server)
        return server

    def is_ready(self, server):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return server.get("/ready")[0] == 200
        return False

    def set_endpoints(self):
        """Gives Envoy the replicas as they are now."""
        endpoints = []
        for server in self.replicas:
            host, port = server.grpc.rsplit(":", 1)
            endpoints.append({"endpoint": {"address": {"socket_address": {
                "address": host, "port_value": int(port)}}}})
        text = json.dumps({"version_info": str(len(endpoints)), "resources": [{
            "@type": "type.googleapis.com/"
                     "envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": "ratelimitd",
            "endpoints": [{"lb_endpoints": endpoints}]}]})
        # Envoy reads the file when it is moved into the folder.
        os.replace(self.write("next.json", text), self.folder / "eds/eds.json")

    def change(self, config):
        harness.allow_slow_answers(config)
        config["node"] = {"id": "gateway", "cluster": "gateway"}
        clusters = {cluster["name"]: cluster
                    for cluster in config["static_resources"]["clusters"]}
        server, upstream = clusters["ratelimitd"], clusters["upstream"]
        del server["load_assignment"]
        server["type"] = "EDS"
        server["eds_cluster_config"] = {"eds_config": {
            "resource_api_version": "V3", "path_config_source": {
                "path": str(self.folder / "eds/eds.json"),
                "watched_directory": {"path": str(self.folder / "eds")}}}}
        # The upstream is another listener of the same Envoy.
        pipe = {"pipe": {"path": str(self.folder / "upstream.sock")}}
        upstream["load_assignment"]["endpoints"] = [
            {"lb_endpoints": [{"endpoint": {"address": pipe}}]}]
        config["static_resources"]["listeners"].append({
            "name": "upstream", "address": pipe,
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters."
                             "network.http_connection_manager.v3."
                             "HttpConnectionManager",
                    "stat_prefix": "upstream",
                    "route_config": {"virtual_hosts": [{
                        "name": "all", "domains": ["*"], "routes": [{
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200}}]}]},
                    "http_filters": [{
                        "name": "envoy.filters.http.router",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions."
                                     "filters.http.router.v3.Router"}}]}}]}]})

    def roll(self, delay):
        """Replaces both replicas. Returns the load, which has ended."""
        old = [self.start_replica(delay) for _ in range(2)]
        self.set_endpoints()
        envoy = harness.Envoy(self.folder, old[0].grpc, 1, change=self.change)
        self.addCleanup(envoy.stop)
        load = Load(envoy.port)
        self.addCleanup(load.end)
        load.wait_for(SOME)
        for server in old:
            self.start_replica(delay)
            self.set_endpoints()
            load.wait_for(SOME)
            server.process.send_signal(signal.SIGTERM)
            harness.wait_for("a replica that is not ready",
                             lambda: not self.is_ready(server))
            # The endpoints follow later.
            load.wait_for(FEW)
            self.replicas.remove(server)
            self.set_endpoints()
            self.assertEqual(server.process.wait(harness.PATIENCE_S), 0)
            load.wait_for(SOME)
        load.wait_for(max(1, REQUESTS - load.sent))
        load.end()
        return load

    def test_no_request_fails_or_passes_without_a_decision(self):
        load = self.roll("5s")  # the default of the server
        self.assertGreaterEqual(load.sent, REQUESTS)
        self.assertEqual((load.failed, load.unasked), (0, 0), load.sent)

    def test_without_the_delay_requests_pass_without_a_decision(self):
        load = self.roll("0s")
        self.assertGreater(load.unasked, 0, load.sent)


if __name__ == "__main__":
    unittest.main()
