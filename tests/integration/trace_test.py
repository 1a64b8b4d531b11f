"""Traces over OTLP: the real server and a collector, with and without Envoy."""

import re
import socket
import unittest

import grpc
import yaml

import harness
from certificates import Certificates
from collector import Collector
from redis_harness import Redis

CONFIG = """\
domain: traced
descriptors:
  - key: user
    rate_limit: {unit: day, requests_per_unit: 2}
"""
METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
GRPC_SPAN = METHOD[1:]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = ("traceparent", f"00-{TRACE}-{PARENT}-01")
NOT_SAMPLED = ("traceparent", f"00-{TRACE}-{PARENT}-00")
# A value that no span may have.
SECRET = "sk-secret-of-a-user"


def block(number, data):
    """A field of a message in the wire format of protobuf."""
    return bytes([number << 3 | 2, len(data)]) + data


def request(domain="traced", key="user", value=SECRET):
    entry = block(1, key.encode()) + block(2, value.encode())
    return block(1, domain.encode()) + block(2, block(1, entry))


class TraceTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.collector = Collector()
        self.addCleanup(self.collector.stop)
        self.config = self.write("rules/traced.yaml", CONFIG)

    def environment(self, protocol="grpc"):
        port = getattr(self.collector, f"{protocol}_port")
        return {"TRACING_ENABLED": "true", "TRACING_EXPORTER_PROTOCOL": protocol,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
                "OTEL_BSP_SCHEDULE_DELAY": "10"}

    def start(self, protocol="grpc", **variables):
        environment = {**self.environment(protocol), **variables}
        self.server = self.start_server("--config", self.config,
                                        environment=environment)

    def call(self, *headers, message=None):
        """Calls ShouldRateLimit; returns the answer."""
        with grpc.insecure_channel(self.server.grpc) as channel:
            return channel.unary_unary(METHOD)(
                message or request(), metadata=headers,
                timeout=harness.PATIENCE_S)

    def spans(self, count, name=""):
        """The spans with `name`, once there are `count`."""
        harness.wait_for(f"{count} spans", lambda:
                         len(self.collector.spans(name)) >= count)
        spans = self.collector.spans(name)
        self.assertEqual(len(spans), count)
        return spans

    def metric(self, name):
        text = self.server.get("/metrics")[1]
        return sum(float(value) for value in
                   re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


class SpansTest(TraceTest):
    def check_spans_of(self, protocol):
        self.start(protocol, TRACING_SERVICE_NAMESPACE="gateways",
                   TRACING_SERVICE_INSTANCE_ID="pod-1",
                   OTEL_RESOURCE_ATTRIBUTES="cluster=a%20b,service.name=x",
                   OTEL_EXPORTER_OTLP_HEADERS="Authorization=Basic%20abc")
        for _ in range(3):
            self.call(SAMPLED, ("tracestate", "vendor=1"))
        spans = self.spans(3)
        self.assertEqual([span.attributes["ratelimit.code"] for span in spans],
                         ["OK", "OK", "OVER_LIMIT"])
        self.assertEqual(len({span.span_id for span in spans}), 3)
        for span in spans:
            self.assertEqual(span.trace_id, TRACE)
            self.assertEqual(span.parent_id, PARENT)
            self.assertEqual(span.state, "vendor=1")
            self.assertEqual(span.name, GRPC_SPAN)
            self.assertFalse(span.failed)
            self.assertEqual(
                {**span.attributes, "ratelimit.code": ""},
                {"domain": "traced", "ratelimit.descriptors": 1,
                 "ratelimit.code": "", "ratelimit.rule": "user"})
            self.assertEqual(span.resource, {
                "service.name": "RateLimit", "service.namespace": "gateways",
                "service.instance.id": "pod-1", "cluster": "a b"})
            self.assertNotIn(SECRET, str(span))
        self.assertEqual(self.collector.headers[0]["authorization"],
                         "Basic abc")
        harness.wait_for("the count", lambda:
                         self.metric("ratelimitd_trace_spans_sent_total") == 3)
        self.assertEqual(self.metric("ratelimitd_trace_spans_dropped_total"), 0)

    def test_over_grpc(self):
        self.check_spans_of("grpc")

    def test_over_http(self):
        self.check_spans_of("http")

    def test_b3(self):
        self.start()
        self.call(("b3", f"{TRACE}-{PARENT}-1"))
        self.call(("x-b3-traceid", TRACE), ("x-b3-spanid", PARENT),
                  ("x-b3-sampled", "1"))
        for span in self.spans(2):
            self.assertEqual((span.trace_id, span.parent_id), (TRACE, PARENT))

    def test_the_http_port(self):
        self.start()
        body = (b'{"domain": "traced", "descriptors": [{"entries": '
                b'[{"key": "user", "value": "u"}]}]}')
        port = int(self.server.http.rsplit(":", 1)[1])
        name, value = SAMPLED
        headers = (name.upper(), value)
        answer = harness.send_request(port, headers, path="/json", body=body)
        self.assertEqual(answer.status, 200)
        answer = harness.send_request(port, headers, path="/json", body=b"{")
        self.assertEqual(answer.status, 400)
        answer = harness.send_request(port, headers, path="/v1/forward-auth")
        self.assertEqual(answer.status, 200)
        names = [(span.name, span.failed) for span in self.spans(3)]
        self.assertEqual(sorted(names), [("/json", False), ("/json", True),
                                         ("/v1/forward-auth", False)])
        for span in self.spans(3):
            self.assertEqual((span.trace_id, span.parent_id), (TRACE, PARENT))

    def test_a_bad_request_is_a_failed_span(self):
        self.start()
        with self.assertRaises(grpc.RpcError):
            self.call(SAMPLED, message=request(domain=""))
        [span] = self.spans(1)
        self.assertTrue(span.failed)
        self.assertNotIn(SECRET, str(span))

    def test_the_take_from_redis_is_a_span(self):
        redis = Redis(self.folder / "redis")
        self.addCleanup(redis.stop)
        self.start(REDIS_URL=f"127.0.0.1:{redis.port}",
                   REDIS_TIMEOUT="10s")
        harness.wait_for("Redis", lambda:
                         self.server.get("/healthcheck")[0] == 200)
        self.call(SAMPLED)
        [request_span] = self.spans(1, GRPC_SPAN)
        [take] = self.spans(1, "store take")
        self.assertEqual(take.trace_id, TRACE)
        self.assertEqual(take.parent_id, request_span.span_id)
        self.assertEqual(take.attributes, {"ratelimit.charges": 1})


class TlsTest(TraceTest):
    def setUp(self):
        super().setUp()
        certificates = Certificates(self.folder, "collector")
        self.client = certificates.issue("client", "DNS:client")
        self.ca = certificates.ca
        self.tls_collector = Collector(
            (self.ca, *certificates.issue("server", "DNS:localhost")))
        self.addCleanup(self.tls_collector.stop)

    def start_with(self, protocol, ca):
        port = getattr(self.tls_collector, f"{protocol}_port")
        certificate, key = map(str, self.client)
        self.start(
            protocol, DRAIN_TIME="1s",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"https://localhost:{port}",
            OTEL_EXPORTER_OTLP_CERTIFICATE=str(ca),
            OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=certificate,
            OTEL_EXPORTER_OTLP_CLIENT_KEY=key)
        self.call(SAMPLED)

    def test_with_a_client_certificate(self):
        for protocol in ("grpc", "http"):
            with self.subTest(protocol):
                self.tls_collector.kept.clear()
                self.start_with(protocol, self.ca)
                harness.wait_for("the span", self.tls_collector.spans)

    def test_another_authority_is_not_trusted(self):
        other = Certificates(self.folder, "other").ca
        for protocol in ("grpc", "http"):
            with self.subTest(protocol):
                self.start_with(protocol, other)
                self.server.stop()
                self.assertIn("spans are dropped", self.server.log())
                self.assertEqual(self.tls_collector.spans(), [])

    def test_a_missing_file_ends_the_start(self):
        for protocol in ("grpc", "http"):
            with (self.subTest(protocol),
                  self.assertRaisesRegex(AssertionError, "no-such-file")):
                self.start_with(protocol, self.folder / "no-such-file")


class SamplingTest(TraceTest):
    def test_the_caller_decides(self):
        self.start(TRACING_SAMPLING_RATE="0")
        self.call(NOT_SAMPLED)
        self.call()
        self.call(("b3", "0"))
        self.call(SAMPLED)
        self.server.stop()  # sends all that waits
        self.assertEqual([span.trace_id for span in self.collector.spans()],
                         [TRACE])

    def test_the_rate_decides_without_a_caller(self):
        self.start(TRACING_SAMPLING_RATE="1")
        self.call(NOT_SAMPLED)
        self.call()
        self.call(("traceparent", "malformed"))
        self.server.stop()
        spans = self.collector.spans()
        self.assertEqual([span.parent_id for span in spans], ["", ""])
        self.assertEqual(len({span.trace_id for span in spans} - {TRACE}), 2)

    def test_nothing_is_sent_by_default(self):
        self.start(TRACING_ENABLED="false")
        self.call(SAMPLED)
        self.server.stop()
        self.assertEqual(self.collector.spans(), [])


class CollectorFaultsTest(TraceTest):
    def check_retry_of(self, protocol):
        self.collector.failures = 1
        self.start(protocol)
        self.call(SAMPLED)
        self.spans(1)

    def test_a_batch_is_sent_again_over_grpc(self):
        self.check_retry_of("grpc")

    def test_a_batch_is_sent_again_over_http(self):
        self.check_retry_of("http")

    def test_a_full_queue_drops_spans_and_no_requests(self):
        self.collector.open.clear()
        self.start(OTEL_BSP_MAX_QUEUE_SIZE="5",
                   OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1")

        def dropped():
            self.call(SAMPLED)
            return self.metric("ratelimitd_trace_spans_dropped_total")

        harness.wait_for("a dropped span", dropped)
        harness.wait_for("the warning", lambda: "spans are dropped"
                         in self.server.log())
        self.collector.open.set()

    def check_stop_with(self, protocol):
        """A collector that never answers does not keep the server."""
        self.collector.open.clear()
        self.start(protocol, DRAIN_TIME="1s", OTEL_BSP_SCHEDULE_DELAY="1")
        self.call(SAMPLED)
        self.assertEqual(self.server.stop(), 0, self.server.log())

    def test_a_silent_collector_over_grpc_does_not_keep_the_server(self):
        self.check_stop_with("grpc")

    def test_a_silent_collector_over_http_does_not_keep_the_server(self):
        self.check_stop_with("http")

    def test_the_server_starts_and_answers_without_a_collector(self):
        self.start(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
                   DRAIN_TIME="1s")
        self.call(SAMPLED)

    def test_endless_trailers_end_the_connection(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.start("http", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:%d"
                   % listener.getsockname()[1])
        self.call(SAMPLED)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(harness.PATIENCE_S)
            connection.recv(64 << 10)
            connection.sendall(b"HTTP/1.1 200 OK\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
            # The buffers of the system take some megabytes.
            with self.assertRaises(ConnectionError):
                for _ in range(64):
                    connection.sendall(b"name: value\r\n" * (1 << 16))

    def test_the_last_spans_are_sent_at_the_end(self):
        self.start(OTEL_BSP_SCHEDULE_DELAY="3600000")
        self.call(SAMPLED)
        self.assertEqual(self.collector.spans(), [])
        self.server.stop()
        self.assertEqual(len(self.collector.spans()), 1)


class EnvoyTest(TraceTest):
    def test_the_trace_of_envoy_arrives(self):
        def trace(config):
            harness.allow_slow_answers(config)
            clusters = config["static_resources"]["clusters"]
            cluster = yaml.safe_load(yaml.safe_dump(next(
                item for item in clusters if item["name"] == "ratelimitd")))
            cluster["name"] = cluster["load_assignment"]["cluster_name"] = (
                "collector")
            clusters.append(cluster)
            harness.set_port(config, "clusters", "collector",
                             self.collector.grpc_port)
            manager = config["static_resources"]["listeners"][0][
                "filter_chains"][0]["filters"][0]["typed_config"]
            manager["tracing"] = {"provider": {
                "name": "envoy.tracers.opentelemetry",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.config.trace.v3."
                             "OpenTelemetryConfig",
                    "grpc_service": {"envoy_grpc": {
                        "cluster_name": "collector"}},
                    "service_name": "envoy"}}}

        self.config = harness.RECIPE
        # The caller decides, not the rate.
        self.start(TRACING_SAMPLING_RATE="0")
        envoy = self.start_envoy(self.server, change=trace)
        answer = harness.send_request(
            envoy.port, SAMPLED, ("Authorization", "Bearer user-123"),
            body=b"{}")
        self.assertEqual(answer.status, 200)
        [span] = self.spans(1, GRPC_SPAN)
        self.assertEqual(span.trace_id, TRACE)
        # Envoy's own spans: the parent of ours is one of them.
        harness.wait_for("the span of Envoy", lambda: span.parent_id in [
            other.span_id for other in self.collector.spans()])


class PortTest(TraceTest):
    def test_the_port_of_grpc_means_grpc(self):
        """Envoy Gateway names the port of gRPC, but no protocol."""
        self.start(TRACING_EXPORTER_PROTOCOL="",
                   OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317",
                   DRAIN_TIME="1s")
        harness.wait_for("the warning", lambda: "so spans are sent over gRPC"
                         in self.server.log())


if __name__ == "__main__":
    unittest.main()
