"""New certificates while the server runs: those of the gRPC port with the
authorities of clients, and those of the connection to a configuration
server, in any order of the files."""

import itertools
import json
import pathlib
import unittest

import harness
from certificates import Certificates
from products import mount
from xds_test import Server as XdsServer
from xds_test import resource

NAMES = ("tls.crt", "tls.key", "ca.crt")


def content(authority, certificate, key):
    """The files of a Secret."""
    return {name: pathlib.Path(path).read_bytes() for name, path in
            zip(NAMES, (certificate, key, authority))}


class RotationTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.authorities = [Certificates(self.folder, name)
                            for name in ("old", "new")]
        self.secret = self.folder / "certs"

    def check(self, server, authority, certificate, expect):
        return self.run_program(
            harness.CTL, "check", "--address", server.grpc, "--domain",
            "default", "--descriptor", "k=v", "--tls-ca", authority,
            "--tls-cert", certificate[0], "--tls-key", certificate[1],
            expect=expect)

    def test_the_port_and_the_authorities_of_its_clients(self):
        servers = [one.issue("server", "IP:127.0.0.1")
                   for one in self.authorities]
        clients = [one.issue("client", "DNS:client.test")
                   for one in self.authorities]
        mount(self.secret, content(self.authorities[0].ca, *servers[0]))
        server = self.start_server("--config", harness.RECIPE, environment={
            "GRPC_SERVER_USE_TLS": "true",
            "GRPC_SERVER_TLS_CERT": str(self.secret / "tls.crt"),
            "GRPC_SERVER_TLS_KEY": str(self.secret / "tls.key"),
            "GRPC_CLIENT_TLS_CACERT": str(self.secret / "ca.crt")})
        old, new = self.authorities
        self.check(server, old.ca, clients[0], expect=0)
        self.check(server, old.ca, clients[1], expect=3)
        mount(self.secret, content(new.ca, *servers[1]))

        def is_in_force():
            try:
                self.check(server, new.ca, clients[1], expect=0)
            except AssertionError:
                return False
            return True
        harness.wait_for("the new certificates", is_in_force)
        # The former authority no longer counts.
        self.check(server, new.ca, clients[0], expect=3)

    def version(self, server):
        page = server.get("/config", server.debug)[1]
        return json.loads(page)["version"]

    def serve(self, port, authority):
        certificate = authority.issue("xds", "IP:127.0.0.1")
        xds = XdsServer(port, (authority.ca, *certificate))
        self.addCleanup(xds.stop)
        return xds

    def rotate_xds(self, order):
        """The files of the new authority come in this order. Each time, the
        stream ends. While certificate and key do not match, the client uses the
        former ones. While they match but the authorities are others, no
        connection is possible."""
        old, new = self.authorities
        folder = self.folder / "-".join(order)
        folder.mkdir()
        files = content(old.ca, *old.issue("client", "DNS:client.test"))
        for name, data in files.items():
            (folder / name).write_bytes(data)
        fresh = content(new.ca, *new.issue("client", "DNS:client.test"))
        xds = self.serve(0, old)
        server = self.start_server(environment={
            "CONFIG_TYPE": "GRPC_XDS_SOTW",
            "CONFIG_GRPC_XDS_SERVER_URL": f"127.0.0.1:{xds.port}",
            "CONFIG_GRPC_XDS_NODE_ID": "envoy-ratelimit",
            "CONFIG_GRPC_XDS_SERVER_USE_TLS": "true",
            "CONFIG_GRPC_XDS_CLIENT_TLS_CERT": str(folder / "tls.crt"),
            "CONFIG_GRPC_XDS_CLIENT_TLS_KEY": str(folder / "tls.key"),
            "CONFIG_GRPC_XDS_SERVER_TLS_CACERT": str(folder / "ca.crt")})
        versions = itertools.count(1)
        pair = {"tls.key", "tls.crt"}
        for done in range(len(order) + 1):
            is_last = done == len(order)
            if done > 0:
                (folder / order[done - 1]).write_bytes(fresh[order[done - 1]])
                xds.stop()
                xds = self.serve(xds.port, new if is_last else old)
            version = str(next(versions))
            xds.set(version, resource("a", 1))
            is_half = len(pair & set(order[:done])) == 1
            if done == 0 or is_last or (is_half and order[0] != "ca.crt"):
                harness.wait_for(f"version {version} after {order[:done]}",
                                 lambda: self.version(server) == version)

    def test_the_pair_of_the_configuration_server_in_any_order(self):
        for order in itertools.permutations(NAMES):
            with self.subTest(order=order):
                self.rotate_xds(order)


if __name__ == "__main__":
    unittest.main()
