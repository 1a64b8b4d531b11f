"""enforce: queue, with real servers, real time, and clients that leave. The
tests assert the window in which each answer comes."""

import collections
import contextlib
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest

import yaml

import harness
from redis_harness import Load, Redis, end_ns, metric, result, wait_until_ready

WINDOW_S = 2
METHOD = "envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
WAITS = "ratelimitd_queue_wait_seconds_count"
PATIENT = {"REDIS_TIMEOUT": "10s"}


def window_of(time_ns, length_s=WINDOW_S):
    return time_ns // (length_s * 10**9)


def new_window(length_s=WINDOW_S):
    """Waits for a new window; returns its number."""
    old = window_of(time.time_ns(), length_s)
    harness.wait_for("a new window", lambda: window_of(
        time.time_ns(), length_s) > old)
    return window_of(time.time_ns(), length_s)


def queued(servers):
    return metric(servers, "ratelimitd_queued_requests")


def left(servers):
    return metric(servers, "ratelimitd_queue_left_total")


def refused(servers, reason):
    return metric(
        servers, f'ratelimitd_queue_refused_total{{reason="{reason}"}}')


def ever_held(servers):
    """The number of requests that are or were held."""
    return queued(servers) + metric(servers, WAITS) + left(servers)


class Call:
    """One call by grpcurl. The test can kill the process."""

    def __init__(self, server, user, flags=(), hits=1):
        message = {"domain": "default", "hitsAddend": hits, "descriptors": [
            {"entries": [{"key": "user_id", "value": user}]}]}
        self.process = subprocess.Popen(
            [harness.GRPCURL, "-plaintext", *flags, "-d", json.dumps(message),
             server.grpc, METHOD], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        self.output, self.error = self.process.communicate()
        self.ended_ns = time.time_ns()

    def ended(self):
        return not self.reader.is_alive()

    def leave(self):
        self.process.kill()
        self.reader.join(harness.PATIENCE_S)

    def wait(self):
        """(OK or OVER_LIMIT, the window of the answer)."""
        self.reader.join(harness.PATIENCE_S)
        if self.process.returncode != 0:
            raise AssertionError(self.output + self.error)
        return (harness.overall_code(self.output),
                window_of(self.ended_ns))


class QueueCase(harness.ProcessTest):
    def configure(self, limit, enforce="queue", tier=None, **queue):
        """ann and bob each have `limit` requests in a window of two seconds."""
        return self.write("config.yaml", yaml.safe_dump({"rate_limit": {
            "default_rps": 1, "enforce": enforce, "queue": queue,
            "user_tiers": {"free": {"rps": limit, "window_seconds": WINDOW_S,
                                    **(tier or {})}},
            "user_assignments": {"ann": "free", "bob": "free"}}}))

    def start_memory(self, limit=1, environment=None, **options):
        self.config = self.configure(limit, **options)
        self.servers = [self.start_server("--config", self.config,
                                          environment=environment)]

    def start_redis(self, limit=1, environment=None, **options):
        """Starts two replicas that share one Redis."""
        self.config = self.configure(limit, **options)
        self.redis = Redis(self.folder / "redis")
        self.addCleanup(self.redis.stop)
        self.servers = [
            self.start_server("--config", self.config, environment={
                "REDIS_URL": self.redis.url, **PATIENT, **(environment or {})})
            for _ in range(2)]
        for server in self.servers:
            wait_until_ready(server)

    def call(self, user="ann", server=0, **options):
        call = Call(self.servers[server], user, **options)
        self.addCleanup(call.leave)
        return call

    def send(self, user="ann", server=0, **options):
        """Sends a call; returns when it is held or answered, so that it
        precedes the next call."""
        before = ever_held(self.servers)
        call = self.call(user, server, **options)
        harness.wait_for("a slot", lambda: call.ended() or
                         ever_held(self.servers) > before)
        return call

    def send_all(self, count):
        """Sends calls of one user in order; returns them and the first
        window."""
        start = new_window()
        return start, [self.send(server=number % len(self.servers))
                       for number in range(count)]


class OrderTest(QueueCase):
    def check_order(self, limit=3, count=12):
        start, calls = self.send_all(count)
        answers = [call.wait() for call in calls]
        self.assertEqual({code for code, _ in answers}, {"OK"})
        windows = [window for _, window in answers]
        self.assertEqual(windows, sorted(windows))
        per_window = collections.Counter(windows)
        self.assertLessEqual(max(per_window.values()), limit, per_window)
        # No slot stays empty. On a busy machine a window may lack only the
        # requests that came too late for it.
        self.assertEqual(sorted(per_window),
                         list(range(windows[0], windows[-1] + 1)))
        self.assertGreaterEqual(windows[0], start)
        for window in sorted(per_window)[1:-1]:
            self.assertEqual(per_window[window], limit, per_window)
        self.assertEqual(queued(self.servers), 0)
        self.assertGreaterEqual(metric(self.servers, WAITS), count - 2 * limit)
        self.assertEqual(left(self.servers), 0)

    def test_first_come_first_served_over_two_replicas(self):
        self.start_redis(3)
        self.check_order()

    def test_first_come_first_served_in_memory(self):
        self.start_memory(3)
        self.check_order()

    def test_a_token_bucket_serves_in_order_too(self):
        self.start_redis(3, tier={"algorithm": "token_bucket", "burst": 1})
        _, calls = self.send_all(8)
        self.assertEqual([call.wait()[0] for call in calls], ["OK"] * 8)
        ends = [call.ended_ns for call in calls]
        self.assertEqual(ends, sorted(ends))

    def test_all_at_once_over_two_replicas_keep_to_the_limit(self):
        self.start_redis(5)
        new_window()
        count = 20
        load = Load(self.folder, self.servers, [("default", "user_id=ann")],
                    streams=count, calls=count)
        records = load.wait()
        self.assertEqual([result(record) for record in records], ["OK"] * count)
        to_wall_ns = time.time_ns() - time.monotonic_ns()
        per_window = collections.Counter(
            window_of(end_ns(record) + to_wall_ns) for record in records)
        self.assertLessEqual(max(per_window.values()), 5, per_window)
        self.assertEqual(max(per_window) - min(per_window) + 1,
                         len(per_window), per_window)
        for window in sorted(per_window)[1:-1]:
            self.assertEqual(per_window[window], 5, per_window)

    def test_no_user_waits_for_another_user(self):
        self.start_redis()
        start, _ = self.send_all(3)
        self.assertEqual(self.send("bob").wait(), ("OK", start))

    @staticmethod
    def warm_http(server):
        """Starts all threads of the HTTP port. The port keeps one thread for
        each connection of its peak, and a request for the metrics may arrive
        before the port notices the end of the last connection."""
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(contextlib.closing(
                http.client.HTTPConnection(server.http,
                                           timeout=harness.PATIENCE_S)))
                           for _ in range(8)]
            for connection in connections:
                connection.request("GET", "/live")
            for connection in connections:
                connection.getresponse().read()

    def test_2000_held_requests_cost_no_thread_and_are_all_served(self):
        length_s = 6
        held = 2000
        self.start_memory(held, tier={"window_seconds": length_s},
                          max_queued_per_user=held)
        server = self.servers[0]
        threads = pathlib.Path(f"/proc/{server.process.pid}/task")
        # A first call starts threads that stay.
        self.send("bob").wait()
        self.warm_http(server)
        before = len(list(threads.iterdir()))
        start = new_window(length_s)
        self.send(hits=held).wait()
        load = Load(self.folder, self.servers, [("default", "user_id=ann")],
                    streams=held, calls=held, channels=4)
        harness.wait_for("2,000 held", lambda: queued([server]) == held)
        self.assertEqual(len(list(threads.iterdir())), before)
        records = load.wait()
        self.assertEqual(collections.Counter(map(result, records)),
                         {"OK": held})
        to_wall_ns = time.time_ns() - time.monotonic_ns()
        self.assertEqual({window_of(end_ns(record) + to_wall_ns, length_s)
                          for record in records}, {start + 1})
        self.assertEqual(queued([server]), 0)
        self.assertEqual(metric([server], WAITS), held)


class LeaveTest(QueueCase):
    def check_leave(self):
        """All calls at one server: the calls behind one that leaves move up."""
        start = new_window()
        calls = [self.send() for _ in range(5)]
        calls[2].leave()
        harness.wait_for("its leave", lambda: left(self.servers) == 1)
        calls.append(self.send())
        self.assertEqual(
            [call.wait() for call in calls if call is not calls[2]],
            [("OK", start + number) for number in range(5)])

    def test_requests_behind_one_that_leaves_move_up_in_memory(self):
        self.start_memory()
        self.check_leave()

    def test_requests_behind_one_that_leaves_move_up_in_redis(self):
        self.start_redis()
        self.check_leave()

    def test_a_returned_slot_goes_to_the_next_request_at_any_replica(
            self):
        self.start_redis()
        start, calls = self.send_all(4)
        calls[3].leave()
        harness.wait_for("its leave", lambda: left(self.servers) == 1)
        self.assertEqual(self.send(server=0).wait(), ("OK", start + 3))
        self.assertEqual([call.wait()[1] for call in calls[:3]],
                         [start, start + 1, start + 2])

    def test_a_request_that_leaves_delays_no_other_replica(self):
        self.start_redis()
        start, calls = self.send_all(5)
        calls[2].leave()
        harness.wait_for("its leave", lambda: left(self.servers) == 1)
        calls.append(self.send(server=1))
        # The fifth call has moved up at its replica, past the fourth at the
        # other replica. The slot of the fifth call went to the sixth.
        self.assertEqual(
            [call.wait() for call in calls if call is not calls[2]],
            [("OK", start + number) for number in (0, 1, 3, 2, 4)])

    def test_when_all_leave_nothing_stays_booked(self):
        self.start_redis()
        start, calls = self.send_all(6)
        # From the last: a slot before a slot of another replica cannot move.
        for gone, call in enumerate(reversed(calls[1:]), 1):
            call.leave()
            harness.wait_for("its leave", lambda: left(self.servers) == gone)
        self.assertEqual(queued(self.servers), 0)
        self.assertLessEqual(self.send().wait()[1], start + 2)


class RefusalTest(QueueCase):
    def assert_refused(self, call, reason):
        """The call is refused at once, and the next call shows that it booked
        no slot."""
        before = queued(self.servers)
        code, window = call.wait()
        self.assertEqual(code, "OVER_LIMIT")
        self.assertEqual(refused(self.servers, reason), 1)
        self.assertEqual(queued(self.servers), before)
        return window

    def check_bound(self, reason, flags=(), **queue):
        self.start_redis(**queue)
        start = new_window()
        first, second = self.send(), self.send(server=1)
        self.assertEqual(self.assert_refused(self.call(flags=flags), reason),
                         start)
        return start, first, second

    def test_a_wait_past_the_deadline_is_refused_at_once(self):
        # The slot after that of the second call begins later than a whole
        # window.
        start, *calls = self.check_bound("deadline", flags=("-max-time", "1.9"))
        calls.append(self.send())
        self.assertEqual([call.wait() for call in calls],
                         [("OK", start + number) for number in range(3)])

    def test_a_wait_beyond_max_wait_is_refused_at_once(self):
        start, *calls = self.check_bound("max_wait", max_wait="2s")
        harness.wait_for("the next window", lambda: calls[1].ended())
        # No slot of the window after that was booked.
        calls.append(self.send())
        self.assertEqual([call.wait() for call in calls],
                         [("OK", start + number) for number in range(3)])

    def test_max_queued_per_user_counts_over_all_replicas(self):
        start, *calls = self.check_bound("max_queued_per_user",
                                         max_queued_per_user=1)
        self.assertEqual([self.send("bob", server).wait()[0]
                          for server in range(2)], ["OK"] * 2)
        self.assertEqual([call.wait() for call in calls],
                         [("OK", start), ("OK", start + 1)])

    def test_max_queued_counts_all_users_of_a_process(self):
        self.start_redis(max_queued=2)
        start = new_window()
        calls = [self.send(user) for user in ("ann", "bob", "ann", "bob")]
        self.assert_refused(self.call(), "max_queued")
        calls.append(self.send(server=1))
        self.assertEqual([call.wait() for call in calls],
                         [("OK", start + number) for number in (0, 0, 1, 1, 2)])

    def forward_auth(self, query):
        port = int(self.servers[0].http.rpartition(":")[2])
        return harness.send_request(port, ("X-User-ID", "ann"), method="GET",
                                    path="/v1/forward-auth" + query).status

    def test_a_gateway_that_names_no_wait_is_refused_at_once(self):
        self.start_memory()
        new_window()
        self.send()
        self.assertEqual(self.forward_auth(""), 429)
        self.assertEqual(queued(self.servers), 0)
        self.assertEqual(refused(self.servers, "cannot_wait"), 1)

    def test_a_gateway_that_names_a_wait_is_held(self):
        self.start_memory()
        start = new_window()
        self.send()
        self.assertEqual(self.forward_auth("?wait=20s"), 200)
        self.assertEqual(window_of(time.time_ns()), start + 1)

    def test_a_gateway_that_disconnects_gives_its_slot_back(self):
        self.start_memory()
        start = new_window()
        self.send()
        with socket.create_connection(
                self.servers[0].http.rsplit(":", 1)) as gateway:
            gateway.sendall(b"GET /v1/forward-auth?wait=20s HTTP/1.1\r\n"
                            b"Host: x\r\nX-User-ID: ann\r\n\r\n")
            harness.wait_for("the held request",
                             lambda: queued(self.servers) == 1)
        harness.wait_for("its end", lambda: left(self.servers) == 1)
        self.assertEqual(self.call().wait(), ("OK", start + 1))


class EndTest(QueueCase):
    # The signal comes in the first half of a window. From there the drain lasts
    # beyond the start of the next window, and ends before the window after it.
    DRAIN = {"DRAIN_TIME": "2200ms"}

    def check_drain(self):
        start, calls = new_window(), [self.send() for _ in range(4)]
        server = self.servers[0]
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual([call.wait() for call in calls],
                         [("OK", start), ("OK", start + 1),
                          ("OVER_LIMIT", start), ("OVER_LIMIT", start)])
        self.assertEqual(server.process.wait(harness.PATIENCE_S), 0)
        return start

    def test_a_drain_serves_slots_that_come_in_time_and_refuses_the_rest(self):
        self.start_memory(environment=self.DRAIN)
        self.check_drain()

    def test_slots_that_a_drain_returns_go_to_another_replica(self):
        self.start_redis(environment=self.DRAIN)
        start = self.check_drain()
        self.servers = self.servers[1:]
        self.assertLessEqual(self.send().wait()[1], start + 2)

    def reload(self, *arguments, **options):
        self.configure(*arguments, **options)
        for server in self.servers:
            server.process.send_signal(signal.SIGHUP)

    def check_raised(self):
        start, calls = self.send_all(5)
        self.reload(50)
        answers = [call.wait() for call in calls]
        self.assertEqual([code for code, _ in answers], ["OK"] * 5)
        # The last call had booked the fourth window from here.
        self.assertLessEqual(answers[-1][1], start + 1)
        self.assertEqual(queued(self.servers), 0)

    def test_a_raised_limit_releases_held_requests_in_memory(self):
        self.start_memory()
        self.check_raised()

    def test_a_raised_limit_releases_held_requests_at_both_replicas(self):
        self.start_redis()
        self.check_raised()

    def test_a_reload_without_a_queue_refuses_held_requests(self):
        self.start_memory()
        start, calls = self.send_all(4)
        self.reload(1, enforce="reject")
        # Before the slot of the last call. One window may have begun meanwhile.
        code, window = calls[3].wait()
        self.assertEqual(code, "OVER_LIMIT")
        self.assertLessEqual(window, start + 1)


class EnvoyTest(QueueCase):
    def post(self, connection):
        connection.request("POST", "/v1/messages", b"{}",
                           {"Authorization": "Bearer ann"})

    def connect(self):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.envoy.port, timeout=harness.PATIENCE_S)
        self.addCleanup(connection.close)
        return connection

    def held(self, count):
        harness.wait_for("a hold", lambda: queued(self.servers) == count)

    def test_envoy_holds_and_a_client_that_leaves_gives_its_slot_back(self):
        self.start_memory()
        # The timeout of the filter of Envoy is raised.
        self.envoy = self.start_envoy(self.servers[0])
        start = new_window()
        clients = [self.connect() for _ in range(4)]
        for number, client in enumerate(clients):
            self.post(client)
            self.held(number)
        clients[2].close()
        harness.wait_for("its leave", lambda: left(self.servers) == 1)
        windows = []
        for client in (clients[0], clients[1], clients[3]):
            with contextlib.closing(client.getresponse()) as response:
                windows.append(window_of(time.time_ns()))
                self.assertEqual(response.status, 200)
        self.assertEqual(windows, [start, start + 1, start + 2])
        self.assertEqual(len(self.upstream.seen), 3)

    def test_a_wait_beyond_the_timeout_of_envoy_is_refused_at_once(
            self):
        def wait_5s(config):
            harness.allow_slow_answers(config)
            text = json.dumps(config).replace(
                f'"{harness.PATIENCE_S}s"', '"5s"')
            config.update(json.loads(text))

        length_s = 10
        self.start_memory(tier={"window_seconds": length_s})
        self.envoy = self.start_envoy(self.servers[0], change=wait_5s)
        new_window(length_s)
        statuses = []
        for _ in range(2):
            client = self.connect()
            self.post(client)
            with contextlib.closing(client.getresponse()) as response:
                statuses.append(response.status)
        self.assertEqual(statuses, [200, 429])
        self.assertEqual(refused(self.servers, "deadline"), 1)


if __name__ == "__main__":
    unittest.main()
