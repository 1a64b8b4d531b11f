"""A collector of OTLP spans, over gRPC and over HTTP, and a reader of its
messages."""

import collections
import concurrent.futures
import http.server
import ssl
import threading

import grpc

from protobuf_reader import fields, first

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Span = collections.namedtuple(
    "Span", "trace_id span_id parent_id state name attributes failed resource")


def read_attributes(pairs):
    attributes = {}
    for pair in map(fields, pairs):
        value = fields(pair[2][0])
        attributes[pair[1][0].decode()] = (
            value[1][0].decode() if 1 in value else value[3][0])
    return attributes


def read_spans(request):
    """The spans of an ExportTraceServiceRequest."""
    for of_process in map(fields, fields(request)[1]):
        resource = read_attributes(fields(of_process[1][0])[1])
        for of_scope in map(fields, of_process[2]):
            for span in map(fields, of_scope[2]):
                assert 0 < int.from_bytes(first(span, 7), "little") <= (
                    int.from_bytes(first(span, 8), "little"))
                yield Span(
                    first(span, 1).hex(), first(span, 2).hex(),
                    first(span, 4).hex(), first(span, 3).decode(),
                    first(span, 5).decode(), read_attributes(span[9]),
                    fields(first(span, 15)).get(3, [0])[0] == 2, resource)


class Collector:
    """Keeps all spans. Both ports are free ones. With files of TLS, (CA,
    certificate, key), clients need a certificate."""

    def __init__(self, files=None):
        self.files = files
        self.lock = threading.Lock()
        self.kept = []
        self.headers = []  # of each request, with lower-case names
        self.open = threading.Event()  # no request is answered while clear
        self.open.set()
        self.failures = 0  # requests that are to be refused before one is taken
        self.start_grpc()
        self.start_http()

    def take(self, headers, body):
        """False: the request is refused, and may be sent again."""
        self.open.wait()
        with self.lock:
            self.headers.append({name.lower(): value
                                 for name, value in headers})
            if self.failures > 0:
                self.failures -= 1
                return False
            self.kept.extend(read_spans(body))
            return True

    def spans(self, name=""):
        with self.lock:
            return [span for span in self.kept if name in span.name]

    def start_grpc(self):
        def export(request, context):
            if not self.take(context.invocation_metadata(), request):
                context.abort(grpc.StatusCode.UNAVAILABLE, "later")
            return b""

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                if details.method != EXPORT:
                    return None
                return grpc.unary_unary_rpc_method_handler(export)

        self.grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self.grpc.add_generic_rpc_handlers((Handler(),))
        if self.files is None:
            self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        else:
            ca, certificate, key = [path.read_bytes() for path in self.files]
            self.grpc_port = self.grpc.add_secure_port(
                "127.0.0.1:0", grpc.ssl_server_credentials(
                    [(key, certificate)], ca, require_client_auth=True))
        self.grpc.start()

    def start_http(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = 404
                if self.path == "/v1/traces":
                    taken = collector.take(self.headers.items(), body)
                    status = 200 if taken else 503
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.files is not None:
            ca, certificate, key = self.files
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH,
                                                 cafile=ca)
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain(certificate, key)
            self.http.socket = context.wrap_socket(self.http.socket,
                                                   server_side=True)
        self.http_port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def stop(self):
        self.open.set()
        self.grpc.stop(None).wait()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
