"""The statistics of envoyproxy/ratelimit in the real server: the Prometheus
port, StatsD over TCP, DogStatsD over UDP, and /stats."""

import collections
import re
import socket
import threading
import unittest

from harness import CTL, PATIENCE_S, ProcessTest, free_port, wait_for
from redis_harness import Redis, wait_until_ready

# Independent: each limit counts alone, as in envoyproxy/ratelimit.
RULES = """
domain: shop
accounting: independent
descriptors:
  - key: path
    value: /search
    descriptors:
      - key: user
        rate_limit: {unit: year, requests_per_unit: 10}
  - key: address
    value_to_metric: true
    rate_limit: {unit: year, requests_per_unit: 10}
  - key: api_key
    detailed_metric: true
    rate_limit: {unit: year, requests_per_unit: 10}
  - key: shadowed
    shadow_mode: true
    rate_limit: {unit: year, requests_per_unit: 10}
  - key: free
    rate_limit: {unlimited: true}
"""
# Two charges of 7 hits against a limit of 10.
EXAMPLE = {"total_hits": 14, "over_limit": 4, "near_limit": 2,
           "within_limit": 7}
# A line of Prometheus's text format.
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
TYPE = re.compile(r"# TYPE (\S+) (counter|gauge|histogram|summary)")
SERVICE = "ratelimit.service.rate_limit."
SEARCH = SERVICE + "shop.path_/search.user."


class Receiver:
    """A StatsD server: adds up the counters of all lines. `kind` is
    SOCK_STREAM or SOCK_DGRAM."""

    def __init__(self, kind, port=0):
        self.counts = collections.Counter()
        self.lines = []
        self.closing = False
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        run = self.run_tcp if kind == socket.SOCK_STREAM else self.run_udp
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def run_tcp(self):
        while not self.closing:
            try:
                connection, unused = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile() as file:
                for line in file:
                    self.take(line)

    def run_udp(self):
        while not self.closing:
            packet = self.socket.recv(1 << 16)
            assert len(packet) <= 1432, len(packet)
            for line in packet.decode().splitlines():
                self.take(line)

    def take(self, line):
        self.lines.append(line.rstrip("\n"))
        match = re.fullmatch(r"([^:]+):(\d+)\|c(\|#.*)?", self.lines[-1])
        if match:
            self.counts[match[1] + (match[3] or "")] += int(match[2])

    def stop(self):
        self.closing = True
        self.socket.close()


class StatsBase(ProcessTest):
    def start(self, rules=RULES, **environment):
        environment = {"PROMETHEUS_ADDR": "127.0.0.1:0", **environment}
        return self.start_server(
            "--config", self.write("rules.yaml", rules),
            environment=environment)

    def ask_example(self, server, *entries):
        """Two charges of 7. Returns their HTTP statuses."""
        return [server.ask(*entries, domain="shop", hitsAddend=7)[0]
                for unused in range(2)]

    def start_receiver(self, kind, port=0):
        receiver = Receiver(kind, port)
        self.addCleanup(receiver.stop)
        return receiver

    def samples(self, server, path="/metrics"):
        """{(name, labels): value} of the Prometheus port."""
        status, text = server.get(path, server.prometheus)
        self.assertEqual(status, 200)
        samples, types = {}, {}
        for line in text.splitlines():
            if match := TYPE.fullmatch(line):
                self.assertNotIn(match[1], types)
                types[match[1]] = match[2]
            elif not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                self.assertEqual(LABEL.sub("", labels or ""), "", line)
                family = re.sub("_(bucket|sum|count)$", "", name)
                self.assertTrue({name, family} & types.keys(), line)
                key = name, frozenset(LABEL.findall(labels or ""))
                self.assertNotIn(key, samples)
                samples[key] = float(value)
        return samples

    def hits(self, samples, **labels):
        """The hits of one label set that are not 0, by kind."""
        prefix = "ratelimit_service_rate_limit_"
        return {name.removeprefix(prefix): value
                for (name, found), value in samples.items()
                if name.startswith(prefix) and dict(found) == labels and value}

    def plain(self, server):
        """{name: value} of /stats."""
        status, text = server.get("/stats", server.debug)
        self.assertEqual(status, 200)
        return dict(line.rsplit(": ", 1) for line in text.splitlines())

    @staticmethod
    def check(server, domain, descriptor):
        return (CTL, "check", "--address", server.grpc, "--domain", domain,
                "--descriptor", descriptor)


class StatsTest(StatsBase):
    # Prometheus

    def test_the_prometheus_port_has_the_names_of_the_dashboards(self):
        server = self.start(USE_PROMETHEUS="true")
        self.assertEqual(self.ask_example(server, ("path", "/search"),
                                          ("user", "alice")), [200, 429])
        server.ask(("a", "b"), domain="elsewhere")
        server.ask(("free", "1"), domain="shop")
        server.ask(("nowhere", "1"), domain="shop")
        samples = self.samples(server)
        self.assertEqual(self.hits(samples, domain="shop", key1="path_/search",
                                   key2="user"), EXAMPLE)
        self.assertEqual(self.hits(samples, domain="elsewhere"),
                         {"domain_not_found": 1})
        names = {name for name, unused in samples}
        for name in ("total_hits", "over_limit", "near_limit", "within_limit",
                     "shadow_mode", "over_limit_with_local_cache"):
            self.assertIn("ratelimit_service_rate_limit_" + name, names)
        for name in ("process_resident_memory_bytes",
                     "process_virtual_memory_bytes", "process_cpu_seconds_total",
                     "process_open_fds", "process_start_time_seconds"):
            self.assertGreater(samples[name, frozenset()], 0, name)
        self.assertEqual(
            samples["ratelimit_service_config_load_success", frozenset()], 1)
        self.assertEqual(
            samples["ratelimit_service_config_load_error", frozenset()], 0)
        for error in ("redis_error", "service_error"):
            self.assertEqual(samples["ratelimit_service_should_rate_limit_error",
                                     frozenset({("err_type", error)})], 0)
        # Only paths with hits are shown.
        self.assertFalse([labels for unused, labels in samples
                          if ("key1", "free") in labels])
        self.assertIn("ratelimitd_hits_total", names)

    def test_calls_and_their_time_are_counted_for_grpc(self):
        server = self.start(USE_PROMETHEUS="true")
        method = ("grpc_method", "ShouldRateLimit")
        self.run_program(*self.check(server, "shop", "path=/search,user=bob"))
        samples = self.samples(server)
        self.assertEqual(samples["ratelimit_service_total_requests",
                                 frozenset({method})], 1)
        seconds = "ratelimit_service_response_time_seconds"
        self.assertEqual(samples[seconds + "_count", frozenset({method})], 1)
        self.assertEqual(samples[seconds + "_bucket",
                                 frozenset({method, ("le", "+Inf")})], 1)
        self.assertGreater(samples[seconds + "_sum", frozenset({method})], 0)

    def test_the_response_time_can_be_in_milliseconds(self):
        server = self.start(USE_PROMETHEUS="true",
                            PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS="true")
        bounds = {float(dict(labels)["le"]) for name, labels in
                  self.samples(server)
                  if name == "ratelimit_service_response_time_seconds_bucket"}
        self.assertIn(5000, bounds)
        self.assertNotIn(0.005, bounds)

    def test_a_value_can_have_its_own_path_and_a_secret_is_hashed(self):
        server = self.start(USE_PROMETHEUS="true")
        self.ask_example(server, ("address", "10.0.0.1"))
        self.ask_example(server, ("api_key", "sk-12345"))
        samples = self.samples(server)
        self.assertEqual(self.hits(samples, domain="shop",
                                   key1="address_10_0_0_1"), EXAMPLE)
        secret = [dict(labels)["key1"] for name, labels in samples
                  if name == "ratelimit_service_rate_limit_total_hits"
                  and "api_key" in dict(labels)["key1"]]
        self.assertEqual(len(secret), 1)
        self.assertRegex(secret[0], "^api_key_sha256_[0-9a-f]{12}$")
        self.assertNotIn("sk-12345", str(samples))

    def test_shadow_mode_is_counted(self):
        server = self.start(USE_PROMETHEUS="true")
        self.assertEqual(self.ask_example(server, ("shadowed", "1")),
                         [200, 200])
        self.assertEqual(
            self.hits(self.samples(server), domain="shop", key1="shadowed"),
            {**EXAMPLE, "shadow_mode": 4})

    def test_the_path_can_be_chosen_and_the_mapper_file_is_named(self):
        mapper = self.write("mapper.yaml", "mappers: []")
        server = self.start(USE_PROMETHEUS="true", PROMETHEUS_PATH="/other",
                            PROMETHEUS_MAPPER_YAML=str(mapper))
        self.assertTrue(self.samples(server, "/other"))
        self.assertEqual(server.get("/metrics", server.prometheus)[0], 404)
        self.assertEqual(server.log().count("PROMETHEUS_MAPPER_YAML"), 1)

    def test_a_mapper_file_that_does_not_exist_is_as_none(self):
        server = self.start(USE_PROMETHEUS="true",
                            PROMETHEUS_MAPPER_YAML="/nowhere/conf.yaml")
        self.assertTrue(self.samples(server))
        self.assertNotIn("PROMETHEUS_MAPPER_YAML", server.log())

    def test_without_a_sink_there_are_no_statistics(self):
        for environment in ({}, {"USE_PROMETHEUS": "true",
                                 "DISABLE_STATS": "true"}):
            server = self.start(**environment)
            self.assertIsNone(server.prometheus)
            self.ask_example(server, ("path", "/search"), ("user", "alice"))
            status, text = server.get("/stats", server.debug)
            self.assertEqual(status, 200)
            self.assertIn("The statistics are off", text)

    # StatsD

    def test_statsd_gets_the_numbers_of_the_example_over_tcp(self):
        receiver = self.start_receiver(socket.SOCK_STREAM)
        server = self.start(STATSD_HOST="127.0.0.1",
                            STATSD_PORT=str(receiver.port),
                            STATS_FLUSH_INTERVAL="50ms")
        self.ask_example(server, ("path", "/search"), ("user", "alice"))
        wait_for("the statistics", lambda:
                 receiver.counts[SEARCH + "total_hits"] == 14)
        for name, value in EXAMPLE.items():
            self.assertEqual(receiver.counts[SEARCH + name], value, name)
        # Counters of 0 are never sent.
        self.assertNotIn(SEARCH + "shadow_mode", receiver.counts)
        self.assertEqual(
            receiver.counts["ratelimit.service.config_load_success"], 1)

    def test_a_later_receiver_gets_all_that_was_counted_before(self):
        port = free_port()
        server = self.start(USE_STATSD="true", STATSD_HOST="127.0.0.1",
                            STATSD_PORT=str(port), STATS_FLUSH_INTERVAL="50ms")
        wait_for("a failure", lambda: "StatsD" in server.log())
        self.ask_example(server, ("path", "/search"), ("user", "alice"))
        receiver = self.start_receiver(socket.SOCK_STREAM, port)
        wait_for("the statistics", lambda:
                 receiver.counts[SEARCH + "total_hits"] == 14)

    def test_the_end_of_the_server_sends_the_rest(self):
        receiver = self.start_receiver(socket.SOCK_STREAM)
        server = self.start(STATSD_HOST="127.0.0.1",
                            STATSD_PORT=str(receiver.port),
                            STATS_FLUSH_INTERVAL="24h",
                            USE_PROMETHEUS="true")
        self.ask_example(server, ("path", "/search"), ("user", "alice"))
        self.assertEqual(self.hits(self.samples(server), domain="shop",
                                   key1="path_/search", key2="user"), EXAMPLE)
        self.assertEqual(server.stop(), 0)
        wait_for("the statistics", lambda:
                 receiver.counts[SEARCH + "total_hits"] == 14)

    def test_extra_tags_are_a_suffix_of_the_name(self):
        receiver = self.start_receiver(socket.SOCK_STREAM)
        server = self.start(STATSD_HOST="127.0.0.1",
                            STATSD_PORT=str(receiver.port),
                            STATS_FLUSH_INTERVAL="50ms",
                            EXTRA_TAGS="zone:a,cell:b")
        self.ask_example(server, ("path", "/search"), ("user", "alice"))
        wait_for("the statistics", lambda: receiver.counts[
            SEARCH + "total_hits.__cell=b.__zone=a"] == 14)

    def test_dogstatsd_gets_datagrams_with_tags(self):
        receiver = self.start_receiver(socket.SOCK_DGRAM)
        server = self.start(USE_DOG_STATSD="true", STATSD_HOST="127.0.0.1",
                            STATSD_PORT=str(receiver.port),
                            STATS_FLUSH_INTERVAL="50ms",
                            EXTRA_TAGS="zone:a",
                            USE_DOG_STATSD_MOGRIFIERS="TAG")
        self.run_program(*self.check(server, "shop", "path=/search,user=bob"))
        self.ask_example(server, ("address", "10.0.0.1"))
        name = SERVICE + "shop.address_10_0_0_1."
        wait_for("the statistics", lambda:
                 receiver.counts[name + "total_hits|#zone:a"] == 14)
        for kind, value in EXAMPLE.items():
            self.assertEqual(receiver.counts[f"{name}{kind}|#zone:a"], value)
        wait_for("the response time", lambda: [
            line for line in receiver.lines if re.fullmatch(
                r"ratelimit_server\.ShouldRateLimit\.response_time:"
                r"[\d.]+\|ms\|#zone:a", line)])
        self.assertIn("USE_DOG_STATSD_MOGRIFIERS has no effect", server.log())

    def test_a_receiver_that_does_not_read_delays_no_decision(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.addCleanup(listener.close)
        server = self.start(STATSD_HOST="127.0.0.1",
                            STATSD_PORT=str(listener.getsockname()[1]),
                            STATS_FLUSH_INTERVAL="10ms",
                            EXTRA_TAGS="long:" + "x" * 50_000)
        accepted, unused = listener.accept()
        self.addCleanup(accepted.close)

        def failed():
            self.assertEqual(server.ask(("free", "1"), domain="shop")[0], 200)
            server.ask(("address", "1"), domain="shop")
            return re.search(r'flushes_total{result="failed"} [1-9]',
                             server.get("/metrics")[1])
        wait_for("a full buffer", failed)

    # /stats

    def test_the_debug_port_shows_the_statistics_as_lines(self):
        server = self.start(USE_PROMETHEUS="true")
        self.ask_example(server, ("path", "/search"), ("user", "alice"))
        stats = self.plain(server)
        for name, value in EXAMPLE.items():
            self.assertEqual(stats[SEARCH + name], str(value))
        status, pages = server.get("/", server.debug)
        self.assertEqual(status, 200)
        self.assertIn("/stats", pages)


class StatsWithRedisTest(StatsBase):
    def setUp(self):
        super().setUp()
        self.redis = Redis(self.folder / "redis")
        self.addCleanup(self.redis.stop)

    def start_with_redis(self, rules, **environment):
        # On a busy machine the usual timeout would turn hits into errors.
        server = self.start(rules, REDIS_URL=self.redis.url,
                            **{"REDIS_TIMEOUT": f"{PATIENCE_S}s",
                               "USE_PROMETHEUS": "true", **environment})
        wait_until_ready(server)
        return server

    def test_the_example_has_the_same_numbers_with_redis(self):
        for accounting in ("independent", "all_or_nothing"):
            rules = RULES.replace("independent", accounting)
            server = self.start_with_redis(rules, CACHE_KEY_PREFIX=accounting)
            for entries, labels in (
                    ([("path", "/search"), ("user", "alice")],
                     {"key1": "path_/search", "key2": "user"}),
                    ([("shadowed", "1")], {"key1": "shadowed"})):
                self.ask_example(server, *entries)
                found = self.hits(self.samples(server), domain="shop", **labels)
                found.pop("shadow_mode", None)
                self.assertEqual(found, EXAMPLE, accounting)

    def test_refusals_from_memory_are_counted(self):
        rules = RULES.replace("accounting: independent", "")
        server = self.start_with_redis(rules)
        for status in (200, 429, 429, 429):
            self.assertEqual(server.ask(("address", "1"), domain="shop",
                                        hitsAddend=10)[0], status)
        # Stated costs always go to Redis. Those of the call do not.
        for unused in range(5):
            self.assertEqual(server.ask(("address", "1"), domain="shop")[0],
                             429)
        hits = self.hits(self.samples(server), domain="shop", key1="address_1")
        self.assertEqual(hits["over_limit"], 35)
        self.assertGreaterEqual(hits["over_limit_with_local_cache"], 1)
        self.assertLessEqual(hits["over_limit_with_local_cache"], 5)

    def test_a_redis_that_is_away_is_an_error(self):
        server = self.start_with_redis(RULES)
        self.redis.kill()
        self.run_program(*self.check(server, "shop", "shadowed=1"), expect=3)
        samples = self.samples(server)
        self.assertGreaterEqual(
            samples["ratelimit_service_should_rate_limit_error",
                    frozenset({("err_type", "redis_error")})], 1)
        self.assertEqual(self.hits(samples, domain="shop", key1="shadowed"), {})


if __name__ == "__main__":
    unittest.main()
