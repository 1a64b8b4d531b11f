"""Many connections, and silent ones, to the lean transport of the real
server."""

import os
import pathlib
import re
import resource
import signal
import socket
import struct
import unittest

import harness
from certificates import Certificates, serve_tls

IDLE = 10_000
IDLE_KIB = 16
# One for each core.
THREADS = len(os.sched_getaffinity(0))
# Less than the 30 seconds in which a client must send its HTTP/2 preface.
SOON_S = 20

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, ACK = 4, 6, 1


def frame(kind, flags=0, payload=b""):
    """An HTTP/2 frame of stream 0."""
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
            bytes(4) + payload)


class Client:
    """A connection after the exchange of HTTP/2 SETTINGS."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)),
                                               harness.PATIENCE_S)
        self.socket.sendall(MAGIC + frame(SETTINGS) + frame(SETTINGS, ACK))
        self.ping(b"are you ")

    def ping(self, payload):
        self.socket.sendall(frame(PING, 0, payload))
        answer = frame(PING, ACK, payload)
        received = b""
        while answer not in received:
            more = self.socket.recv(4096)
            if not more:
                raise AssertionError("closed")
            received += more


def resident_kib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def sockets_watched(process):
    """The number of sockets that each epoll instance of the process watches."""
    folder = pathlib.Path(f"/proc/{process.pid}")
    is_socket = {link.name for link in (folder / "fd").iterdir()
                 if os.readlink(link).startswith("socket:")}
    counts = []
    for link in (folder / "fd").iterdir():
        if os.readlink(link) == "anon_inode:[eventpoll]":
            watched = re.findall(r"tfd:\s+(\d+)",
                                 (folder / "fdinfo" / link.name).read_text())
            counts.append(len(is_socket.intersection(watched)))
    return counts


class SilentTest(harness.ProcessTest):
    # A TLS client that had sent nothing once held up the whole drain time.
    def test_clients_that_say_nothing_do_not_hold_up_the_drain(self):
        certificates = Certificates(self.folder, "own")
        for settings, trust in (
                ({}, ["-plaintext"]),
                (dict(serve_tls(certificates)), ["-cacert", certificates.ca])):
            server = self.start_server(
                "--config", harness.RECIPE, "--transport", "lean",
                environment={"DRAIN_TIME": "1h", **settings})
            host, port = server.grpc.rsplit(":", 1)
            for _ in range(3):
                silent = socket.create_connection((host, int(port)))
                self.addCleanup(silent.close)
            # The server accepts connections in order, this one last.
            self.run_program(harness.GRPCURL, *trust, server.grpc, "list")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(SOON_S), 0)


class ConnectionsTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        # The server inherits the limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        self.clients = []
        self.addCleanup(self.close_clients)

    def close_clients(self):
        for client in self.clients:
            client.socket.close()

    def start(self):
        most = str(2 * IDLE)
        return self.start_server(
            "--config", harness.RECIPE, "--transport", "lean",
            environment={"MAX_CONNECTIONS": most,
                         "MAX_CONNECTIONS_PER_PEER": most})

    def connect(self, server, count):
        for _ in range(count):
            self.clients.append(Client(server.grpc))

    def test_idle_connections_cost_little_memory(self):
        server = self.start()
        self.connect(server, 100)  # memory that is allocated once
        before = resident_kib(server.process)
        self.connect(server, IDLE)
        each = (resident_kib(server.process) - before) / IDLE
        print(f"{each:.1f} KiB of each of {IDLE} idle connections")
        self.assertLess(each, IDLE_KIB)
        # All connections are still alive.
        for client in self.clients[::100]:
            client.ping(b"still on")
        self.run_program(harness.CTL, "check", "--address", server.grpc,
                         "--domain", "default", "--descriptor", "a=b")

    def test_connections_are_spread_evenly_over_the_threads(self):
        server = self.start()
        before = sorted(sockets_watched(server.process))
        self.connect(server, 25 * THREADS)
        after = sorted(sockets_watched(server.process))
        self.assertEqual(sum(after) - sum(before), 25 * THREADS)
        busy = [count for count in after if count >= 25]
        self.assertEqual(len(busy), THREADS, after)
        # One epoll instance also watches the three listening sockets.
        self.assertLessEqual(max(busy), 28)


if __name__ == "__main__":
    unittest.main()
