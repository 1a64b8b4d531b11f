"""HTTP/1.1 as RFC 9110 and RFC 9112 state it, and the choices that they leave.

Each case is the bytes of one connection and the statuses of the answers. LAST
follows and ends the connection, so its 200 shows that the bytes before were
understood. Without it the server has ended the connection itself.
"""

import re
import socket
import unittest

import harness

LAST = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
OK, CLOSED = [200, 200], [400]


def get(line=b"GET /live HTTP/1.1", *headers, host=b"Host: x"):
    """A request without a body. `headers` are whole lines."""
    lines = [line, *([host] if host else []), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(*headers, body=b""):
    return get(b"POST /nothing HTTP/1.1", *headers) + body


def chunked(body, *headers):
    return post(b"Transfer-Encoding: chunked", *headers, body=body)


CASES = {
    "RFC 9112, 2.2: message parsing": [
        ("an empty line before a request is skipped", b"\r\n" + get(), OK),
        ("a line ends with CR LF", b"GET /live HTTP/1.1\nHost: x\n\n", CLOSED),
        ("a bare CR in a value", get(b"GET /live HTTP/1.1", b"A: b\rc"),
         CLOSED),
        ("white space behind the request line",
         b"GET /live HTTP/1.1\r\n Host: x\r\n\r\n", CLOSED),
        ("NUL in a value", get(b"GET /live HTTP/1.1", b"A: b\0c"), CLOSED),
    ],
    "RFC 9112, 2.3 and RFC 9110, 2.5: versions": [
        ("1.0 needs no host and closes", get(b"GET /live HTTP/1.0", host=b""),
         [200]),
        ("1.0 may stay open", get(b"GET /live HTTP/1.0",
                                  b"Connection: keep-alive"), OK),
        ("2.0 is not this protocol", get(b"GET /live HTTP/2.0"), [505]),
        ("no version", b"GET /live\r\n\r\n", CLOSED),
        ("lower case", get(b"GET /live http/1.1"), CLOSED),
        ("two digits", get(b"GET /live HTTP/1.10"), CLOSED),
    ],
    "RFC 9112, 3: request line": [
        ("two spaces", get(b"GET  /live HTTP/1.1"), CLOSED),
        ("a tab", get(b"GET\t/live\tHTTP/1.1"), CLOSED),
        ("a space at the end", get(b"GET /live HTTP/1.1 "), CLOSED),
        ("a space in the target", get(b"GET /li ve HTTP/1.1"), CLOSED),
        ("a method is case-sensitive", get(b"get /live HTTP/1.1"),
         [405, 200]),
        ("a method that does not exist", get(b"BREW /live HTTP/1.1"),
         [405, 200]),
        ("a method that is no token", get(b"G(T /live HTTP/1.1"), CLOSED),
        ("a query", get(b"GET /live?a=b HTTP/1.1"), OK),
        ("a target for proxies", get(b"GET http://x/live HTTP/1.1"), OK),
        ("a target of 70 KB", get(b"GET /" + b"a" * 70_000 + b" HTTP/1.1"),
         [431]),
        ("HEAD", get(b"HEAD /live HTTP/1.1"), OK),
        ("no tunnel", get(b"CONNECT x:443 HTTP/1.1"), [404]),
    ],
    "RFC 9112, 3.2: host": [
        ("none", get(host=b""), CLOSED),
        ("two", get(b"GET /live HTTP/1.1", b"Host: y"), CLOSED),
        ("two that are equal", get(b"GET /live HTTP/1.1", b"Host: x"),
         CLOSED),
        ("empty", get(host=b"Host:"), OK),
        ("with a port", get(host=b"Host: [::1]:80"), OK),
    ],
    "RFC 9112, 5 and RFC 9110, 5: fields": [
        ("a space before the colon", get(b"GET /live HTTP/1.1", b"A : b"),
         CLOSED),
        ("a folded line", get(b"GET /live HTTP/1.1", b"A: b", b" c"), CLOSED),
        ("no colon", get(b"GET /live HTTP/1.1", b"A"), CLOSED),
        ("no name", get(b"GET /live HTTP/1.1", b": b"), CLOSED),
        ("a name that is no token", get(b"GET /live HTTP/1.1", b"A(: b"),
         CLOSED),
        ("an empty value", get(b"GET /live HTTP/1.1", b"A:"), OK),
        ("white space around a value",
         get(b"GET /live HTTP/1.1", b"A:\t b \t"), OK),
        ("bytes that are not ASCII", get(b"GET /live HTTP/1.1", b"A: \xe4"),
         OK),
        ("names in any case",
         get(b"GET /live HTTP/1.1", b"cOnNeCtIoN: close"), [200]),
        ("300 of them", get(b"GET /live HTTP/1.1", *[b"A: b"] * 300), [431]),
    ],
    "RFC 9112, 6: body": [
        ("a length", post(b"Content-Length: 3", body=b"abc"), [404, 200]),
        ("a length of 0", post(b"Content-Length: 0"), [404, 200]),
        ("no length is no body", post(), [404, 200]),
        ("GET may have one",
         get(b"GET /live HTTP/1.1", b"Content-Length: 3") + b"abc", OK),
        ("two different lengths",
         post(b"Content-Length: 3", b"Content-Length: 4", body=b"abc"),
         CLOSED),
        ("a list of lengths", post(b"Content-Length: 3, 3", body=b"abc"),
         CLOSED),
        ("a sign", post(b"Content-Length: +3", body=b"abc"), CLOSED),
        ("a negative length", post(b"Content-Length: -3", body=b"abc"),
         CLOSED),
        ("a hexadecimal length", post(b"Content-Length: 0x3", body=b"abc"),
         CLOSED),
        ("no number", post(b"Content-Length: a", body=b"abc"), CLOSED),
        ("an empty length", post(b"Content-Length:", body=b"abc"), CLOSED),
        ("more than 64 bits",
         post(b"Content-Length: 18446744073709551619", body=b"abc"), CLOSED),
        ("a length beside an encoding",
         chunked(b"3\r\nabc\r\n0\r\n\r\n", b"Content-Length: 3"), CLOSED),
        ("an encoding in 1.0",
         get(b"POST /nothing HTTP/1.0", b"Transfer-Encoding: chunked")
         + b"0\r\n\r\n", CLOSED),
        ("an encoding that is not offered",
         post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
         CLOSED),
        ("chunked is not the last", post(
            b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), CLOSED),
        ("chunked twice", post(
            b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
         CLOSED),
        ("an encoding in any case", post(
            b"Transfer-Encoding: Chunked", body=b"0\r\n\r\n"), [404, 200]),
    ],
    "RFC 9112, 7.1: chunks": [
        ("one", chunked(b"3\r\nabc\r\n0\r\n\r\n"), [404, 200]),
        ("several, with sizes in any case",
         chunked(b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
         [404, 200]),
        ("zeros before a size", chunked(b"0003\r\nabc\r\n000\r\n\r\n"),
         [404, 200]),
        ("an extension", chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n"), [404, 200]),
        ("an extension in quotes",
         chunked(b'3;a="b\\"c"\r\nabc\r\n0\r\n\r\n'), [404, 200]),
        ("a trailer", chunked(b"3\r\nabc\r\n0\r\nA: b\r\n\r\n"), [404, 200]),
        ("no size", chunked(b"\r\nabc\r\n0\r\n\r\n"), CLOSED),
        ("a sign", chunked(b"+3\r\nabc\r\n0\r\n\r\n"), CLOSED),
        ("a prefix", chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), CLOSED),
        ("more than 64 bits",
         chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), CLOSED),
        ("a line that ends with LF", chunked(b"3\nabc\r\n0\r\n\r\n"), CLOSED),
        ("more bytes than stated", chunked(b"3\r\nabcd\r\n0\r\n\r\n"),
         CLOSED),
    ],
    "RFC 9112, 9: connections": [
        ("requests are answered in order",
         get() + get(b"GET /nothing HTTP/1.1") + get(), [200, 404, 200, 200]),
        ("close among others",
         get(b"GET /live HTTP/1.1", b"Connection: a, close"), [200]),
        ("an upgrade that is not offered",
         get(b"GET /live HTTP/1.1", b"Connection: upgrade",
             b"Upgrade: websocket"), OK),
        ("nothing behind an error is read",
         get(b"GET /live HTTP/1.1", b"A : b") + get(), CLOSED),
    ],
    "RFC 9110, 10.1.1: Expect": [
        ("100-continue", post(b"Expect: 100-continue", b"Content-Length: 3",
                              body=b"abc"), [404, 200]),
        ("another expectation", get(b"GET /live HTTP/1.1", b"Expect: a"),
         [417]),
    ],
}


class ConformanceTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_server("--config", harness.RECIPE)

    def answers(self, sent, pieces):
        host, port = self.server.http.rsplit(":", 1)
        received = b""
        with socket.create_connection((host, int(port)),
                                      harness.PATIENCE_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for start in range(0, len(sent), pieces):
                    connection.sendall(sent[start:start + pieces])
                while part := connection.recv(65536):
                    received += part
            except ConnectionError:
                pass  # the server has refused the rest
        return [int(status) for status in
                re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]

    def check(self, pieces):
        for section, cases in CASES.items():
            for name, sent, expected in cases:
                with self.subTest(section=section, case=name):
                    self.assertEqual(self.answers(sent + LAST, pieces),
                                     expected)

    def test_requests_in_one_piece(self):
        self.check(1 << 20)

    def test_requests_in_small_pieces(self):
        self.check(7)


if __name__ == "__main__":
    unittest.main()
