"""A real HAProxy with deploy/gateways/haproxy, which queries ratelimitd from
Lua."""

import unittest

import harness
from gateway_harness import Gateway, GatewayCases, replaced

FOLDER = harness.ROOT / "deploy/gateways/haproxy"


class HaproxyTest(GatewayCases, harness.ProcessTest):
    def start_gateway(self, server, upstream_port):
        def prepare(port):
            self.write("ratelimit.lua", (FOLDER / "ratelimit.lua").read_text())
            self.write("haproxy.cfg", replaced(
                (FOLDER / "haproxy.cfg").read_text(), {
                    "127.0.0.1:8080": server,
                    "250ms": f"{self.wait_ms}ms",
                    "abns@ratelimitd": f"unix@{self.folder}/ratelimitd",
                    "127.0.0.1:9000": f"127.0.0.1:{upstream_port}",
                    "bind :8000": f"bind 127.0.0.1:{port}"}))

        return Gateway(self.folder, ["/usr/sbin/haproxy", "-db", "-f",
                                     "haproxy.cfg"], prepare)


if __name__ == "__main__":
    unittest.main()
